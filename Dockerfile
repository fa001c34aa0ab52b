# The mirror in an image: `docker build -t tidepool .`
FROM swift:6.3-bookworm AS build
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libcurl4-openssl-dev liblmdb-dev libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The dependencies first, so that a change of the sources does not fetch them again.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
RUN swift build --configuration release --product tidepool \
 && install -D "$(swift build --configuration release --show-bin-path)/tidepool" /out/tidepool

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends ca-certificates libcurl4 liblmdb0 libssl3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/tidepool --shell /usr/sbin/nologin tidepool \
 && install -d -o tidepool -g tidepool -m 0750 /var/lib/tidepool
COPY --from=build /out/tidepool /usr/local/bin/tidepool
COPY config/tidepool.yaml /etc/tidepool/tidepool.yaml
USER tidepool
VOLUME /var/lib/tidepool
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["tidepool", "health", "http://127.0.0.1:5000"]
ENTRYPOINT ["tidepool"]
CMD ["serve", "--config", "/etc/tidepool/tidepool.yaml", "--listen", "0.0.0.0:5000", "--data-dir", "/var/lib/tidepool"]
