# The programs of Orchestrator Agent in one image. The command decides which: `daemon start`, `hub start`, or any of the CLI.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node tools/build.ts

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="Orchestrator Agent" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /opt/orchestrator
COPY --from=build /src/bin bin
COPY --from=build /src/dist dist
COPY --from=build /src/package.json ./
# The hub's folder is the user node's, the daemon's is root's: a root without capabilities writes only to what is its own.
RUN ln -s /opt/orchestrator/bin/orchestrator.js /usr/local/bin/orchestrator \
 && mkdir -p /var/lib/orchestrator/hub /var/lib/orchestrator/daemon \
 && chown node:node /var/lib/orchestrator/hub
# Young objects and freed memory take little room: a load that has passed leaves nothing resident behind. What is larger than 32 KiB is
# mapped, and goes back when it is freed, in at most half as many maps as the kernel allows.
ENV NODE_OPTIONS="--max-semi-space-size=1" \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=32768 \
    MALLOC_MMAP_MAX_=32768 \
    ORCHESTRATOR_HUB_DATA_DIR=/var/lib/orchestrator/hub \
    ORCHESTRATOR_DAEMON_DATA_DIR=/var/lib/orchestrator/daemon
VOLUME /var/lib/orchestrator
# The hub and the CLI need no root. The daemon does, for the engine's socket: run it with `--user root --cap-drop ALL`.
USER node
# Alive means that the daemon's local socket answers. It never asks whether the hub is in reach: a node without its cloud is
# healthy. Run a hub with --no-healthcheck, or with a check of its API from outside.
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
  CMD ["orchestrator", "daemon", "status", "--json"]
ENTRYPOINT ["orchestrator"]
CMD ["daemon", "start"]
