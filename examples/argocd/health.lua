-- Argo CD's view of an agent or a runtime. `obj` is the resource; what is returned is its health.
-- Goes into argocd-cm.yaml as it is here.
local function condition(kind)
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, found in ipairs(obj.status.conditions) do
      if found.type == kind then
        return found
      end
    end
  end
  return nil
end

local function health(status, found, otherwise)
  if found == nil then
    return {status = status, message = otherwise}
  end
  return {status = status, message = found.reason .. ": " .. (found.message or "")}
end

local ready = condition("Ready")
local stalled = condition("Stalled")
local annotations = obj.metadata.annotations or {}
local policy = annotations["agentoperatingsystem.io/reconcile-policy"]

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", ready, "Waiting for the operator to let it go")
end
if obj.kind == "PurposeDrivenAgent" and policy == "skip" then
  return health("Suspended", nil, "Paused: reconcile-policy is skip")
end
if ready == nil then
  return health("Progressing", nil, "Waiting for the operator")
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", nil, "Waiting for the operator to see the change")
end
if stalled ~= nil and stalled.status == "True" then
  return health("Degraded", stalled)
end
if ready.status == "True" and ready.reason == "Disabled" then
  return health("Suspended", ready)
end
if ready.status == "True" then
  return health("Healthy", ready)
end
return health("Progressing", ready)
