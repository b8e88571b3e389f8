"""What `helm test` runs in the release's namespace: is the operator alive, and do its passes end well?"""

import os
import sys
import urllib.request


def fetched(url: str) -> str:
    sys.stdout.write(f"asking {url}\n")
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the chart's own http URLs
        text: str = answer.read().decode()
        return text


fetched(os.environ["HEALTH_URL"])
if "METRICS_URL" in os.environ:
    metrics = fetched(os.environ["METRICS_URL"])
    shown = [line for line in metrics.splitlines() if line.startswith("aos_agents{")]
    sys.stdout.write("\n".join(shown) + "\n")
    if not shown:
        sys.exit("the metrics tell of no agents: is this the operator?")
sys.stdout.write("the operator is alive\n")
