# The broker of the node, from a shell script: curl is enough.  . /opt/examples/clients/broker.sh

# ask SERVICE METHOD JSON: prints the answer; fails, with the sentence on standard error, when the node says no.
ask() {
  curl --silent --show-error --fail-with-body --unix-socket "$ORCHESTRATOR_BROKER" \
    --header 'content-type: application/json' --data "$3" "http://broker/edge.v1.$1/$2"
}

# Bytes travel as base64 in JSON.
to_bytes() { printf %s "$1" | base64 -w 0; }
