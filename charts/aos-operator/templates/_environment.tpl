{{/* The settings of docs/settings.md. A name that is empty is left out, so that its default is the operator's. */}}
{{- define "aos-operator.env" -}}
{{- with include "aos-operator.endpoint" . }}
- name: AZURE_AI_PROJECT_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: AOS_RUNTIME
  value: {{ .Values.foundry.type | quote }}
- name: AZURE_AI_MODEL_DEPLOYMENT
  value: {{ .Values.foundry.model | quote }}
- name: ENABLE_LORA_ADAPTERS
  value: {{ .Values.foundry.loraAdapters | quote }}
- name: ENABLE_STATEFUL_THREADS
  value: {{ .Values.foundry.statefulThreads | quote }}
- name: RUNTIME_TIMEOUT
  value: {{ .Values.foundry.timeoutSeconds | quote }}
- name: AOS_MODEL_CHECK
  value: {{ .Values.foundry.modelCheck | quote }}
- name: AOS_REQUESTS_PER_SECOND
  value: {{ .Values.foundry.requestsPerSecond | quote }}
- name: AOS_MAX_IN_FLIGHT
  value: {{ int .Values.foundry.maxInFlight | quote }}
- name: AOS_MAX_DELETES_PER_MINUTE
  value: {{ int .Values.foundry.maxDeletesPerMinute | quote }}
- name: AOS_DRIFT_INTERVAL
  value: {{ .Values.foundry.driftIntervalSeconds | quote }}
{{- with .Values.clusterId }}
- name: AOS_CLUSTER_ID
  value: {{ . | quote }}
{{- end }}
{{- with .Values.namespaces }}
- name: AOS_NAMESPACES
  value: {{ join " " . | quote }}
{{- end }}
{{- with .Values.runtimes.allowedEndpoints }}
- name: AOS_ALLOWED_ENDPOINTS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.runtimes.defaultNamespaces }}
- name: AOS_DEFAULT_RUNTIME_NAMESPACES
  value: {{ join " " . | quote }}
{{- end }}
- name: AOS_LIVENESS_PORT
  value: {{ int .Values.liveness.port | quote }}
- name: AOS_METRICS_PORT
  value: {{ ternary (int .Values.metrics.port) 0 .Values.metrics.enabled | quote }}
- name: AOS_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
- name: AOS_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
- name: AOS_LEADER_ELECTION
  value: {{ ternary "true" "false" (eq (include "aos-operator.elects" .) "true") | quote }}
{{- if include "aos-operator.elects" . }}
- name: AOS_LEASE_SECONDS
  value: {{ int .Values.leaderElection.leaseSeconds | quote }}
- name: AOS_LEASE_NAME
  value: {{ include "aos-operator.fullname" . | quote }}
- name: AOS_LEASE_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
{{- end }}
{{- if .Values.azure.clientSecret.existingSecret }}
- name: AZURE_CLIENT_ID
  value: {{ .Values.azure.clientId | quote }}
- name: AZURE_TENANT_ID
  value: {{ .Values.azure.tenantId | quote }}
- name: AZURE_CLIENT_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .Values.azure.clientSecret.existingSecret }}
      key: {{ .Values.azure.clientSecret.key | quote }}
{{- end }}
{{- with .Values.tracing.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with .Values.tracing.applicationInsightsSecret }}
- name: APPLICATIONINSIGHTS_CONNECTION_STRING
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.tracing.applicationInsightsKey | quote }}
{{- end }}
{{- if or .Values.proxy.https .Values.proxy.http }}
{{- with .Values.proxy.https }}
- name: HTTPS_PROXY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.proxy.http }}
- name: HTTP_PROXY
  value: {{ . | quote }}
{{- end }}
- name: NO_PROXY
  # The kubelet puts the API server's address in.
  value: {{ concat (list "$(KUBERNETES_SERVICE_HOST)" "localhost" "127.0.0.1" "169.254.169.254" ".svc" ".cluster.local") .Values.proxy.noProxy | join "," | quote }}
{{- end }}
{{- if or .Values.customCA.configMap .Values.customCA.secret }}
- name: SSL_CERT_FILE
  value: /etc/aos/ca/ca.crt
- name: REQUESTS_CA_BUNDLE
  value: /etc/aos/ca/ca.crt
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
