{{- define "aos-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "aos-operator.fullname" -}}
{{- $name := include "aos-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects pods: never more than this, since a selector cannot be changed. */}}
{{- define "aos-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aos-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aos-operator.labels" -}}
{{- with .Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
{{ include "aos-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: agent-operating-system
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "aos-operator.serviceAccountName" -}}
{{- default (ternary (include "aos-operator.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "aos-operator.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The one file of rights, as an object of sections. */}}
{{- define "aos-operator.rules" -}}
{{- .Files.Get "rbac/rules.yaml" }}
{{- end }}

{{/* "true" when a Lease says who writes. */}}
{{- define "aos-operator.elects" -}}
{{- $rules := include "aos-operator.rules" . | fromYaml }}
{{- if and .Values.leaderElection.enabled (hasKey $rules "leaderElection") }}true{{ end }}
{{- end }}

{{/* Whom every binding binds. */}}
{{- define "aos-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "aos-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "aos-operator.endpoint" -}}
{{- if .Values.sandbox.enabled -}}
http://127.0.0.1:{{ int .Values.sandbox.port }}/api/projects/sandbox
{{- else -}}
{{ .Values.foundry.endpoint }}
{{- end }}
{{- end }}

{{/* What values.schema.json cannot say: values that do not fit each other. */}}
{{- define "aos-operator.check" -}}
{{- $azure := .Values.azure }}
{{- if and .Values.sandbox.enabled .Values.foundry.endpoint }}
{{- fail "sandbox.enabled runs a Foundry of its own: leave foundry.endpoint empty, or set sandbox.enabled to false" }}
{{- end }}
{{- if and .Values.namespaces (not .Values.clusterId) }}
{{- fail "namespaces is set, so the operator has no ClusterRole and may not read the uid of kube-system: set clusterId to a name for this cluster that never changes" }}
{{- end }}
{{- $secrets := .Values.runtimes.tenantSecrets }}
{{- if and $secrets.clusterWide $secrets.namespaces }}
{{- fail "runtimes.tenantSecrets.clusterWide is for all namespaces: leave runtimes.tenantSecrets.namespaces empty, or set clusterWide to false" }}
{{- end }}
{{- if and .Values.namespaces $secrets.clusterWide }}
{{- fail "namespaces is set, so there is no ClusterRole: name the namespaces in runtimes.tenantSecrets.namespaces, and set clusterWide to false" }}
{{- end }}
{{- if .Values.namespaces }}
{{- range concat $secrets.namespaces .Values.runtimes.defaultNamespaces | uniq }}
{{- if not (has . $.Values.namespaces) }}
{{- fail (printf "runtimes names the namespace %s, which is not served: add it to namespaces" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $azure.workloadIdentity.enabled $azure.clientSecret.existingSecret }}
{{- fail "azure.workloadIdentity.enabled and azure.clientSecret.existingSecret are two ways to sign in: choose one" }}
{{- end }}
{{- if and $azure.workloadIdentity.enabled (not $azure.clientId) }}
{{- fail "azure.workloadIdentity.enabled needs azure.clientId: the client id of the managed identity" }}
{{- end }}
{{- if and $azure.clientSecret.existingSecret (not (and $azure.clientId $azure.tenantId)) }}
{{- fail "azure.clientSecret.existingSecret needs azure.clientId and azure.tenantId of the service principal" }}
{{- end }}
{{- if and .Values.customCA.configMap .Values.customCA.secret }}
{{- fail "customCA.configMap and customCA.secret are two places for one bundle: choose one" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.enabled) }}
{{- fail "metrics.serviceMonitor.enabled needs metrics.enabled" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not (include "aos-operator.elects" .)) }}
{{- fail "replicas above 1 need leaderElection.enabled: without it each of them would write" }}
{{- end }}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) (int .Values.liveness.port)) }}
{{- fail "metrics.port and liveness.port must differ" }}
{{- end }}
{{- end }}
