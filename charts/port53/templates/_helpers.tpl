{{- define "port53.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "port53.set" -}}
{{- .Values.nameservers.name | default (include "port53.name" .) -}}
{{- end -}}

{{- /* Of what belongs to the whole cluster. */ -}}
{{- define "port53.webhook" -}}
{{- printf "%s-%s" .Release.Namespace (include "port53.name" .) -}}
{{- end -}}

{{- define "port53.labels" -}}
app.kubernetes.io/part-of: port53
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "port53.image" -}}
{{- printf "%s/%s:%s" .root.Values.image.registry .program (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{- /* Restricted by the Pod Security Standards, and nothing to write to. */ -}}
{{- define "port53.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "port53.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
