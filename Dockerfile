# The programs of Orchestrator Agent in one image. The command decides which: `daemon start`, `hub start`, or any of the CLI.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
COPY tools/prepare.sh tools/
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
RUN ln -s /opt/orchestrator/bin/orchestrator.js /usr/local/bin/orchestrator \
 && mkdir -p /var/lib/orchestrator && chown node:node /var/lib/orchestrator
# The hub and the CLI need no root. The daemon needs the engine's socket: run it with `--user root`, or with the socket's group
# (`--group-add $(stat -c %g /var/run/docker.sock)`).
USER node
ENV NODE_OPTIONS="--max-semi-space-size=1"
VOLUME /var/lib/orchestrator
# Alive means that the local socket answers. It never asks whether the hub is in reach: a node without its cloud is healthy.
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
  CMD ["orchestrator", "daemon", "status", "--json"]
ENTRYPOINT ["orchestrator"]
CMD ["daemon", "start"]
