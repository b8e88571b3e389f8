"""The classic generation of the Agent Service: assistants, threads and runs, as its data plane serves them.

Why it is emulated although it retires: whoever still runs on it must be able to try the operator, and the
way to the new generation, without a cloud. It shares the project, its files, its model, the gate and the
faults with the new generation, and nothing else.
"""
