# syntax=docker/dockerfile:1.7
# Every program of the project from one build; the stage chosen by `--target` decides which of them an image holds:
# order, inventory, payment, shipping, orchestrator, simulators, sagactl.

FROM rust:1.95-slim-bookworm AS build
# What librdkafka and OpenSSL are compiled with; both are linked in, so that the runtime image needs neither.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake g++ make perl pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# Cache mounts keep dependencies between builds; they are not part of the layer, so what is built is copied out.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bins \
      --package backstitch-order --package backstitch-inventory --package backstitch-payment \
      --package backstitch-shipping --package backstitch-orchestrator --package backstitch-simulators \
      --package sagactl \
 && mkdir /out \
 && for program in order inventory payment shipping orchestrator simulators; do \
      cp "target/release/backstitch-$program" /out/; \
    done \
 && cp target/release/sagactl /out/

FROM debian:bookworm-slim AS runtime
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin backstitch \
 && install --directory --owner=backstitch /var/lib/backstitch
COPY --chmod=0755 deploy/answers.sh /usr/local/bin/answers
WORKDIR /var/lib/backstitch
USER 10001

# A stage a service: its own program, and a health check that asks what a load balancer would ask.
FROM runtime AS service
ENV BACKSTITCH_HTTP__LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --start-interval=1s --retries=6 CMD ["answers", "8080", "/readyz"]

FROM service AS order
COPY --from=build /out/backstitch-order /usr/local/bin/
ENTRYPOINT ["backstitch-order"]

FROM service AS inventory
COPY --from=build /out/backstitch-inventory /usr/local/bin/
ENTRYPOINT ["backstitch-inventory"]

FROM service AS payment
COPY --from=build /out/backstitch-payment /usr/local/bin/
ENTRYPOINT ["backstitch-payment"]

FROM service AS shipping
COPY --from=build /out/backstitch-shipping /usr/local/bin/
ENTRYPOINT ["backstitch-shipping"]

FROM service AS orchestrator
COPY --from=build /out/backstitch-orchestrator /usr/local/bin/
# Those that ship; a deployment mounts its own over them.
COPY sagas /etc/backstitch/sagas
ENV BACKSTITCH_SAGAS__DIR=/etc/backstitch/sagas
ENTRYPOINT ["backstitch-orchestrator"]

FROM runtime AS simulators
COPY --from=build /out/backstitch-simulators /usr/local/bin/
ENV BACKSTITCH_SIMULATORS_LISTEN=0.0.0.0:8090
EXPOSE 8090
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --start-interval=1s --retries=6 CMD ["answers", "8090", "/livez"]
ENTRYPOINT ["backstitch-simulators"]

FROM runtime AS sagactl
COPY --from=build /out/sagactl /usr/local/bin/
ENTRYPOINT ["sagactl"]
