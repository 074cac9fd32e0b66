{{- /* The keys of MetalLB's chart that do nothing here, and why. */}}
{{- define "carillon.ignored" }}
- keys:
  - controller.image.repository
  - controller.image.tag
  - speaker.image.repository
  - speaker.image.tag
  why: both workloads run Carillon's image, which is image.repository and image.tag
- keys: [controller.command, speaker.command]
  why: the image has one program
- keys:
  - controller.webhookMode
  - crds.validationFailurePolicy
  why: there is no webhook; a resource is judged when it is read
- keys:
  - controller.livenessProbe.port
  - controller.readinessProbe.port
  - speaker.livenessProbe.port
  - speaker.readinessProbe.port
  why: probes are answered on port 7479
- keys:
  - speaker.memberlist.enabled
  why: who announces an address of layer 2 is always agreed on
- keys:
  - speaker.memberlist.mlSecretKeyPath
  - speaker.secretName
  why: the daemons have a secret of their own, carillon-gossip
- keys: [speaker.wanConfig]
  why: to be slower to take a node for lost, add --heartbeat-interval to speaker.extraArgs
- keys:
  - speaker.bgpDebounceTimeout
  - speaker.frr
  - speaker.reloader
  - speaker.frrMetrics
  - speaker.initContainers
  - frrk8s
  - frr-k8s
  why: Carillon talks BGP itself, without FRR; what FRRConfigurations add is not read
- keys: [prometheus, tls]
  why: Carillon exposes no metrics yet
{{- end }}

{{- /* A value as text, the same for equal ones; what is empty has none. */}}
{{- define "carillon.canonical" }}
{{- if kindIs "map" . }}
{{- range $key, $value := . }}
{{- with include "carillon.canonical" $value }}
{{- printf "%s={%s}" $key . }}
{{- end }}
{{- end }}
{{- else if or . (kindIs "bool" .) }}
{{- toJson . }}
{{- end }}
{{- end }}

{{- /* The value at a path as such text: (list VALUES "a.b.c"). */}}
{{- define "carillon.at" }}
{{- $value := first . }}
{{- range splitList "." (last .) }}
{{- $value = ternary (get $value .) "" (kindIs "map" $value) }}
{{- end }}
{{- include "carillon.canonical" $value }}
{{- end }}

{{- /* The keys that no value of the chart has: (list PATH VALUES DEFAULTS). */}}
{{- define "carillon.unknown" }}
{{- $path := first . }}
{{- $defaults := last . }}
{{- range $key, $value := index . 1 }}
{{- $inner := append $path $key }}
{{- if not (hasKey $defaults $key) }}
{{ join "." $inner }}
{{- else if and (kindIs "map" $value) (get $defaults $key) }}
{{- include "carillon.unknown" (list $inner $value (get $defaults $key)) }}
{{- end }}
{{- end }}
{{- end }}
