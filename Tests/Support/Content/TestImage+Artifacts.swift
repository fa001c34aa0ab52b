import OCI

extension TestImage {
    /// What `flux push artifact` pushes.
    package static func flux(seed: UInt64) -> TestImage {
        artifact(
            configType: "application/vnd.cncf.flux.config.v1+json",
            config: Content(#"{"created":"2026-01-01T00:00:00Z","seed":\#(seed)}"#),
            layerType: "application/vnd.cncf.flux.content.v1.tar+gzip",
            layer: archive(seed: seed, name: "kustomization.yaml")
        )
    }

    /// What `helm push` pushes: no top-level `mediaType`, and the provenance file as a second layer.
    package static func helm(seed: UInt64) -> TestImage {
        let config = Content(#"{"name":"demo","version":"0.1.0","apiVersion":"v2","seed":\#(seed)}"#)
        let chart = archive(seed: seed, name: "demo/Chart.yaml")
        let provenance = Content("-----BEGIN PGP SIGNED MESSAGE-----\nseed \(seed)\n")
        let chartType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
        let provenanceType = "application/vnd.cncf.helm.chart.provenance.v1.prov"
        let document = """
            {"schemaVersion":2,"config":\(descriptor("application/vnd.cncf.helm.config.v1+json", config)),\
            "layers":[\(descriptor(chartType, chart)),\(descriptor(provenanceType, provenance))],\
            "annotations":{"org.opencontainers.image.title":"demo"}}
            """
        return TestImage(
            manifest: ManifestContent(mediaType: MediaType.ociManifest, content: Content(document)),
            children: [],
            blobs: [config, chart, provenance]
        )
    }

    /// A signature or the like, attached to another manifest by `subject`.
    package static func referrer(to subject: ManifestContent, artifactType: String, seed: UInt64) -> TestImage {
        let empty = Content("{}")
        let payload = Content("payload \(seed)")
        let document = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)","artifactType":"\(artifactType)",\
            "config":\(descriptor("application/vnd.oci.empty.v1+json", empty)),\
            "layers":[\(descriptor(artifactType, payload))],\
            "subject":\(descriptor(subject.mediaType, subject.content))}
            """
        let manifest = ManifestContent(
            mediaType: MediaType.ociManifest,
            content: Content(document),
            subject: subject.digest,
            artifactType: artifactType
        )
        return TestImage(manifest: manifest, children: [], blobs: [empty, payload])
    }

    /// The index that clients without the referrers API keep under the tag `sha256-<hex>`.
    package static func fallbackIndex(of referrers: [TestImage]) -> TestImage {
        let entries = referrers.map { referrer in
            let type = referrer.manifest.artifactType.map { #","artifactType":"\#($0)""# } ?? ""
            return descriptor(MediaType.ociManifest, referrer.manifest.content, extra: type)
        }
        let document = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociIndex)","manifests":[\(entries.joined(separator: ","))]}
            """
        return TestImage(
            manifest: ManifestContent(mediaType: MediaType.ociIndex, content: Content(document)),
            children: [],
            blobs: []
        )
    }

    static func artifact(configType: String, config: Content, layerType: String, layer: Content) -> TestImage {
        let document = """
            {"schemaVersion":2,"mediaType":"\(MediaType.ociManifest)",\
            "config":\(descriptor(configType, config)),"layers":[\(descriptor(layerType, layer))]}
            """
        return TestImage(
            manifest: ManifestContent(mediaType: MediaType.ociManifest, content: Content(document)),
            children: [],
            blobs: [config, layer]
        )
    }

    private static func archive(seed: UInt64, name: String) -> Content {
        var tar = Tar()
        tar.add(name, Array("# seed \(seed)\n".utf8))
        return Content(StoredGzip.wrap(tar.closed()))
    }
}
