# syntax=docker/dockerfile:1
# Node runs the TypeScript sources as they are: there is no build, only an install of what runs.
FROM node:24-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# `docker build --target initc`: the init container that waits for parent cliques. It needs no package but the client's.
FROM node:24-bookworm-slim AS initc
LABEL org.opencontainers.image.title="grove-initc" \
      org.opencontainers.image.description="Starts the pods of a PodClique after those of its parents" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
# Answers about a fleet come and go by the megabyte: what is free is given back, not kept between what stays (bench/README.md).
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072
WORKDIR /app
COPY --from=install /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
USER 65532:65532
ENTRYPOINT ["node", "src/initc/main.ts"]

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="grove-autoscaler" \
      org.opencontainers.image.description="Metrics-driven, multi-level autoscaler and Grove-compatible operator for disaggregated LLM inference on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=install /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
# For `demo`, which needs a writable /tmp; `run` writes nothing.
COPY policies ./policies
USER 65532:65532
EXPOSE 8080
# A fleet lives long: garbage is collected when a seventh has come on top of what lives (bench/README.md).
ENTRYPOINT ["node", "--max-semi-space-size=16", "--heap-growing-percent=15", "src/main.ts"]
CMD ["run"]
