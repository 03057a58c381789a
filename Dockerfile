# Holdfast in a container: `docker run … holdfast serve`, `migrate`, `verify` and the rest of the command line.
# It runs as user 1000, writes to no file, and needs DATABASE_URL; see DEPLOYMENT.md.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package needs its install script for the build, and Node is here already.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY migrations migrations
COPY demo demo
COPY load load
RUN npm run build && find dist -name '*.map' -delete && chmod 755 dist/src/main.js

# What runs, and nothing that only builds or tests. The one optional dependency is the PostgreSQL of `holdfast dev`.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
WORKDIR /app
# All of it belongs to root: the service can't change its own code.
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
RUN ln -s /app/dist/src/main.js /usr/local/bin/holdfast
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
# By number, so that Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 3000
# Whether it should be sent requests. An orchestrator that restarts what is unhealthy should ask /livez instead: a
# restart does not help against a database that is away.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["holdfast"]
CMD ["serve"]
