#!/usr/bin/env bash
# Grants a principal what a pipeline needs, and nothing else.
#
#   acls.sh --bootstrap HOST:PORT --principal User:NAME --pipeline NAME \
#       --input TOPIC[,TOPIC..] --output TOPIC [--dead-letter TOPIC] [--quality TOPIC] [OPTION..]
#
#   --create-topics          for `create_topics: true`: may create the output, dead-letter and quality topics
#   --dlq                    for `millstream dlq`: may read dead letters and write to the input
#   --remove                 takes all of it away instead
#   --print                  prints one permission a line (resource, name, pattern, operation) and
#                            changes nothing
#   --command-config FILE    client properties of the administrator, as kafka-acls takes them
#
# KAFKA_ACLS is the command that is run; kafka-acls, or kafka-acls.sh where only that is there.
#
# Read and Write imply Describe. Producers are idempotent, which since Kafka 2.8 needs no permission
# beside Write. Transactional ids are {pipeline}-{instance}-{worker}: the prefix `{pipeline}-` covers
# those of every pipeline whose name goes on with a hyphen, so such pipelines trust each other.
set -euo pipefail

usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p}' "${BASH_SOURCE[0]}" >&2; exit 64; }

bootstrap="" principal="" pipeline="" input="" output="" dead_letter="" quality=""
create_topics=false dlq=false change=--add print=false config=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --create-topics) create_topics=true; shift; continue ;;
        --dlq) dlq=true; shift; continue ;;
        --remove) change=--remove; shift; continue ;;
        --print) print=true; shift; continue ;;
    esac
    [[ $# -ge 2 ]] || usage
    case $1 in
        --bootstrap) bootstrap=$2 ;;
        --principal) principal=$2 ;;
        --pipeline) pipeline=$2 ;;
        --input) input=$2 ;;
        --output) output=$2 ;;
        --dead-letter) dead_letter=$2 ;;
        --quality) quality=$2 ;;
        --command-config) config=(--command-config "$2") ;;
        *) usage ;;
    esac
    shift 2
done
[[ -n $principal && -n $pipeline && -n $input && -n $output ]] || usage
[[ -n $bootstrap || $print == true ]] || usage
if [[ $dlq == true && -z $dead_letter ]]; then
    echo "--dlq needs --dead-letter" >&2
    exit 64
fi

if [[ -n ${KAFKA_ACLS:-} ]]; then
    read -ra kafka_acls <<<"$KAFKA_ACLS"
elif command -v kafka-acls >/dev/null; then
    kafka_acls=(kafka-acls)
else
    kafka_acls=(kafka-acls.sh)
fi

# RESOURCE NAME PATTERN OPERATION...
permit() {
    local resource=$1 name=$2 pattern=$3 operations=() operation
    shift 3
    for operation in "$@"; do
        if [[ $print == true ]]; then echo "$resource $name $pattern $operation"; fi
        operations+=(--operation "$operation")
    done
    if [[ $print == true ]]; then return; fi
    local force=()
    if [[ $change == --remove ]]; then force=(--force); fi
    "${kafka_acls[@]}" --bootstrap-server "$bootstrap" "${config[@]}" "$change" "${force[@]}" \
        --allow-principal "$principal" "${operations[@]}" \
        "--$resource" "$name" --resource-pattern-type "$pattern"
}

# DescribeConfigs shows compaction, retention and message limits, which the start checks.
read_more=() write_more=()
if [[ $dlq == true ]]; then read_more=(Write) write_more=(Read); fi
if [[ $create_topics == true ]]; then create=(Create); else create=(); fi

IFS=, read -ra inputs <<<"$input"
for topic in "${inputs[@]}"; do
    permit topic "$topic" literal Read DescribeConfigs "${read_more[@]}"
done
permit topic "$output" literal Write DescribeConfigs "${create[@]}"
if [[ -n $dead_letter ]]; then
    permit topic "$dead_letter" literal Write DescribeConfigs "${create[@]}" "${write_more[@]}"
fi
if [[ -n $quality ]]; then permit topic "$quality" literal Write DescribeConfigs "${create[@]}"; fi
permit group "$pipeline" literal Read
permit transactional-id "$pipeline-" prefixed Write
