# netmon, the sidecar that sees the node's network and gives its runtimes vNICs and devices. install/compose.yaml has the options that
# it needs: the host's network, processes and devices, five capabilities, and a /proc/sys that can be written.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node tools/build.ts

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="Orchestrator Agent netmon" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update \
 && apt-get install -y --no-install-recommends bpftool busybox-static iproute2 iptables nftables util-linux \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/orchestrator
COPY --from=build /src/bin bin
COPY --from=build /src/dist dist
COPY --from=build /src/package.json ./
RUN mkdir -p /var/lib/orchestrator/netmon
ENV NODE_OPTIONS="--max-semi-space-size=1" \
    MALLOC_ARENA_MAX=2 \
    ORCHESTRATOR_NETMON_SOCKET=/var/lib/orchestrator/netmon/netmon.sock
VOLUME /var/lib/orchestrator/netmon
ENTRYPOINT ["node", "bin/orchestrator.js", "netmon", "start"]
