{{- define "reelgate.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Of everything. */}}
{{- define "reelgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: reelgate
{{ include "reelgate.selector" . }}
{{- end }}

{{/* What never changes: selectors. */}}
{{- define "reelgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* (context, target) */}}
{{- define "reelgate.image" -}}
{{- $root := index . 0 -}}
{{ printf "%s/%s:%s" $root.Values.image.registry (index . 1) ($root.Values.image.tag | default $root.Chart.AppVersion) }}
{{- end }}

{{/* A value as the environment has it. Helm reads every number as a float, and would write large ones as 5e+10. */}}
{{- define "reelgate.value" -}}
{{- if kindIs "slice" . }}{{ $texts := list }}{{ range . }}{{ $texts = append $texts (include "reelgate.value" .) }}{{ end }}{{ join "," $texts }}
{{- else if kindIs "float64" . }}{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- else }}{{ . }}{{ end }}
{{- end }}

{{/* (sections): `{jobs: {lease_ms: 1}}` as REELGATE__JOBS__LEASE_MS. What is empty is left to its default. */}}
{{- define "reelgate.settings" -}}
{{- range $section, $keys := . }}
{{- range $key, $value := $keys }}
{{- $text := include "reelgate.value" $value }}
{{- if or (ne $text "") (kindIs "slice" $value) }}
- name: REELGATE__{{ upper $section }}__{{ upper $key }}
  value: {{ $text | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* (variable, secret, key) */}}
{{- define "reelgate.secret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end }}

{{/* (context, role): where database, queue and store are, and who asks. */}}
{{- define "reelgate.backends" -}}
{{- $secrets := (index . 0).Values.secrets -}}
{{- $database := index $secrets.database (index . 1) -}}
{{- $storage := index $secrets.storage (index . 1) -}}
{{ include "reelgate.secret" (list "REELGATE__DATABASE__URL" $database.name $database.key) }}
{{ include "reelgate.secret" (list "REELGATE__QUEUE__URL" $secrets.queue.name $secrets.queue.key) }}
{{- if $storage.name }}
{{ include "reelgate.secret" (list "AWS_ACCESS_KEY_ID" $storage.name $storage.accessKeyId) }}
{{ include "reelgate.secret" (list "AWS_SECRET_ACCESS_KEY" $storage.name $storage.secretAccessKey) }}
{{- end }}
{{- end }}

{{/* What the pod security standard "restricted" asks of a pod, and of a container. */}}
{{- define "reelgate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "reelgate.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* (context, component): over zones and nodes, as well as it goes. */}}
{{- define "reelgate.spread" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "reelgate.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
{{- end }}
{{- end }}

{{/* Refuses pools that leave a lane to nobody: its jobs would wait without end. */}}
{{- define "reelgate.servedLanes" -}}
{{- $used := list "small" "large" -}}
{{- if (.Values.config.lanes).gpu }}{{ $used = append $used "gpu" }}{{ end -}}
{{- $served := list -}}
{{- range $pool, $given := .Values.workers -}}
{{- $worker := mergeOverwrite (deepCopy $.Values.workerDefaults) (deepCopy ($given | default dict)) -}}
{{- if or (($worker.config).worker).lanes (($.Values.config).worker).lanes }}{{ fail (printf "workers.%s: say lanes by workers.%s.lanes, by which the pool is also scaled, not among the settings" $pool $pool) }}{{ end -}}
{{- $served = concat $served ($worker.lanes | default $used) -}}
{{- end -}}
{{- /* Without any pool the workers are somewhere else. */ -}}
{{- range $used }}{{ if and $.Values.workers (not (has . $served)) }}{{ fail (printf "no pool of workers serves the lane %s: add it to some pool's lanes" .) }}{{ end }}{{ end -}}
{{- end }}

{{/* Where a pod may run: (values of the part) */}}
{{- define "reelgate.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "reelgate.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}
