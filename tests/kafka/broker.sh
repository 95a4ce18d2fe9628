#!/usr/bin/env bash
# A real Kafka broker (KRaft) for tests, without Docker: one node, or three.
#
#   broker.sh fetch                 brings the jars into the cache
#   broker.sh start DIR [FILE]      starts a broker whose data, certificates and log live in DIR,
#                                   waits until it answers, writes DIR/env; properties in FILE win,
#                                   where @PLAIN@ and @CONTROLLER@ stand for its ports
#   broker.sh cluster DIR [FILE]    starts three, in DIR/1 to DIR/3: replication 3, min.isr 2, no
#                                   unclean election; DIR/env names all of them
#   broker.sh again DIR             starts a broker that was killed again, with what it had
#   broker.sh stop DIR              stops that broker, or those three; DIR stays
#   broker.sh run -- COMMAND...     starts one in a fresh directory, runs COMMAND with DIR/env set,
#                                   stops it, exits as COMMAND did
#   broker.sh tool CLASS ARGS...    runs one of Kafka's own tools, e.g. org.apache.kafka.tools.TopicCommand
#
# DIR/env sets KAFKA_BOOTSTRAP (plaintext) and KAFKA_TLS_BOOTSTRAP, KAFKA_TLS_CA, KAFKA_TLS_USER,
# KAFKA_TLS_PASSWORD (SASL_SSL with SCRAM-SHA-512). Both may do everything; KAFKA_ACL_USER, with the
# same password, only what an ACL grants. Where KAFKA_BOOTSTRAP is set already, `run` uses
# that broker and starts none; the KAFKA_TLS_* are then the caller's to set. SCRAM against Kafka 4
# needs librdkafka 2.6.1 or later, so Debian 12's kcat (2.0.2) reaches the plaintext listener only.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
start_seconds_max=120

say() { printf 'broker: %s\n' "$*" >&2; }

# MAIN_CLASS ARGS...: warnings and errors only, the tools otherwise print all their settings.
java_main() { java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" "$@"; }

fetch() { jars=$("$here/../../.ci/jars" "$here/pom.xml"); }

# A port nobody listens on, below the ephemeral range; one band per listener, so that no two meet.
free_port() {
    local band=$1 port
    while true; do
        port=$((20000 + 4000 * band + RANDOM % 4000))
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# BAND USED: such a port that does not stand in USED, which nobody may listen on yet.
other_port() {
    local port
    port=$(free_port "$1")
    while [[ $2 == *:$port* ]]; do port=$(free_port "$1"); done
    echo "$port"
}

# A CA of its own and a server certificate for 127.0.0.1, both for a few days.
certificates() {
    local tls=$1
    mkdir -p "$tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 7 -subj "/CN=millstream test CA" \
        -keyout "$tls/ca.key" -out "$tls/ca.pem" 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" \
        -keyout "$tls/server.key" -out "$tls/server.csr" 2>/dev/null
    openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" \
        -CAcreateserial -days 7 -out "$tls/server.crt" \
        -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") 2>/dev/null
    cat "$tls/server.key" "$tls/server.crt" >"$tls/server.pem"
}

# DIR NODE PLAIN TLS CONTROLLER VOTERS REPLICAS
properties() {
    local dir=$1 node=$2 plain=$3 tls=$4 controller=$5 voters=$6 replicas=$7
    cat <<EOF
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$plain,SASL_SSL://127.0.0.1:$tls,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$plain,SASL_SSL://127.0.0.1:$tls
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/server.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:millstream
log.dirs=$dir/data
auto.create.topics.enable=false
# Tests bring records with any Kafka timestamp; age deletes none of them.
log.retention.ms=-1
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=16777216
# Room for the 20 MB record; topics lower it with max.message.bytes.
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
default.replication.factor=$replicas
min.insync.replicas=$(((replicas + 1) / 2))
unclean.leader.election.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$(((replicas + 1) / 2))
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$(((replicas + 1) / 2))
EOF
}

# A process that ended and was not waited for still has an id, and a state of Z.
alive() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:.Z' "/proc/$1/status"; }

fail_with_log() {
    say "$2; the end of $1/broker.log:"
    tail -n 25 "$1/broker.log" >&2 || true
    exit 1
}

# Until the broker accepts connections and answers one request.
wait_until_up() {
    local dir=$1 pid=$2 port=$3
    local deadline=$((SECONDS + start_seconds_max))
    until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        alive "$pid" || fail_with_log "$dir" "the broker stopped while starting"
        ((SECONDS < deadline)) || fail_with_log "$dir" "no answer within $start_seconds_max s"
        sleep 0.2
    done
    java_main org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$port" --list \
        >/dev/null 2>>"$dir/broker.log" || fail_with_log "$dir" "the broker does not answer"
}

# DIR CLUSTER PASSWORD: formats the storage that DIR/server.properties names.
format() {
    local dir=$1 cluster=$2 password=$3
    java_main kafka.tools.StorageTool format --cluster-id "$cluster" --config "$dir/server.properties" \
        --add-scram "SCRAM-SHA-512=[name=millstream,password=$password]" \
        --add-scram "SCRAM-SHA-512=[name=restricted,password=$password]" >"$dir/broker.log" 2>&1 ||
        fail_with_log "$dir" "formatting failed"
}

# Starts the process; DIR/pid is its id.
launch() {
    local dir=$1
    # A session of its own: Ctrl-C goes to the tests, and the broker is stopped after them.
    setsid java -Xmx768m -Xms256m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
        -cp "$jars/*" kafka.Kafka "$dir/server.properties" >>"$dir/broker.log" 2>&1 </dev/null &
    echo "$!" >"$dir/pid"
}

# The port of the first listener of DIR.
plain_port() { sed -n 's|^listeners=PLAINTEXT://127.0.0.1:\([0-9]*\).*|\1|p' "$1/server.properties" | tail -n 1; }

# A directory without a broker, as an absolute path.
fresh_directory() {
    mkdir -p "$1"
    if [[ -e $1/pid || -e $1/1/pid ]]; then
        say "$1 has a broker already"
        exit 1
    fi
    (cd "$1" && pwd)
}

start() {
    local dir more=${2:-}
    dir=$(fresh_directory "$1")
    fetch
    certificates "$dir/tls"
    local plain tls controller password
    plain=$(free_port 0) tls=$(free_port 1) controller=$(free_port 2)
    password=$(openssl rand -hex 16)
    properties "$dir" 1 "$plain" "$tls" "$controller" "1@127.0.0.1:$controller" 1 >"$dir/server.properties"
    if [[ -n $more ]]; then
        sed "s/@PLAIN@/$plain/g; s/@CONTROLLER@/$controller/g" "$more" >>"$dir/server.properties"
    fi
    format "$dir" "$(java_main kafka.tools.StorageTool random-uuid)" "$password"
    launch "$dir"
    wait_until_up "$dir" "$(<"$dir/pid")" "$plain"
    cat >"$dir/env" <<EOF
export KAFKA_BOOTSTRAP=127.0.0.1:$plain
export KAFKA_TLS_BOOTSTRAP=127.0.0.1:$tls
export KAFKA_TLS_CA=$dir/tls/ca.pem
export KAFKA_TLS_USER=millstream
export KAFKA_TLS_PASSWORD=$password
export KAFKA_ACL_USER=restricted
EOF
    say "up on 127.0.0.1:$plain, with TLS on 127.0.0.1:$tls"
}

again() {
    local dir=$1
    [[ -e $dir/server.properties ]] || { say "$dir never had a broker"; exit 1; }
    if [[ -e $dir/pid ]] && alive "$(<"$dir/pid")"; then
        say "$dir has a broker that runs"
        exit 1
    fi
    fetch
    launch "$dir"
    wait_until_up "$dir" "$(<"$dir/pid")" "$(plain_port "$dir")"
}

cluster() {
    local dir more=${2:-} node voters="" servers="" password cluster
    dir=$(fresh_directory "$1")
    fetch
    cluster=$(java_main kafka.tools.StorageTool random-uuid) password=$(openssl rand -hex 16)
    local -a controllers=()
    for node in 1 2 3; do
        controllers[node]=$(other_port 2 "$voters")
        voters+=${voters:+,}$node@127.0.0.1:${controllers[node]}
    done
    for node in 1 2 3; do
        local of=$dir/$node plain
        plain=$(other_port 0 "$servers")
        certificates "$of/tls"
        properties "$of" "$node" "$plain" "$(free_port 1)" "${controllers[node]}" "$voters" 3 >"$of/server.properties"
        if [[ -n $more ]]; then cat "$more" >>"$of/server.properties"; fi
        format "$of" "$cluster" "$password"
        launch "$of"
        servers+=${servers:+,}127.0.0.1:$plain
    done
    for node in 1 2 3; do
        wait_until_up "$dir/$node" "$(<"$dir/$node/pid")" "$(plain_port "$dir/$node")"
    done
    echo "export KAFKA_BOOTSTRAP=$servers" >"$dir/env"
    say "three brokers are up on $servers"
}

stop() {
    local dir=$1 pid node
    for node in 1 2 3; do
        if [[ -e $dir/$node/pid ]]; then stop "$dir/$node"; fi
    done
    rm -f "$dir/env"
    [[ -e $dir/pid ]] || return 0
    pid=$(<"$dir/pid")
    # A stopped process does not hear SIGTERM.
    kill -CONT "$pid" 2>/dev/null || true
    kill "$pid" 2>/dev/null || true
    for _ in {1..100}; do
        alive "$pid" || break
        sleep 0.1
    done
    if alive "$pid"; then kill -KILL "$pid" 2>/dev/null || true; fi
    rm -f "$dir/pid"
}

run() {
    if [[ -n ${KAFKA_BOOTSTRAP:-} ]]; then
        say "using the broker at $KAFKA_BOOTSTRAP"
        exec "$@"
    fi
    fresh=$(mktemp -d)
    trap 'stop "$fresh"; rm -rf "$fresh"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start "$fresh"
    # shellcheck disable=SC1091
    source "$fresh/env"
    "$@"
}

usage() { sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p}' "${BASH_SOURCE[0]}" >&2; exit 64; }

verb=${1:-}
shift || true
case $verb in
    fetch) fetch ;;
    start) [[ $# -eq 1 || $# -eq 2 ]] || usage; start "$@" ;;
    cluster) [[ $# -eq 1 || $# -eq 2 ]] || usage; cluster "$@" ;;
    again) [[ $# -eq 1 ]] || usage; again "$1" ;;
    stop) [[ $# -eq 1 ]] || usage; stop "$1" ;;
    run) [[ ${1:-} == -- && $# -ge 2 ]] || usage; shift; run "$@" ;;
    tool) [[ $# -ge 1 ]] || usage; fetch; java_main "$@" ;;
    *) usage ;;
esac
