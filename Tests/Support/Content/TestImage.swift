import OCI

/// A manifest as a registry serves it.
package struct ManifestContent: Sendable {
    package let mediaType: String
    package let content: Content
    /// For referrers: what this manifest is about, and as what it is listed.
    package var subject: Digest?
    package var artifactType: String?

    package var digest: Digest { content.digest }
}

/// Something that can be pulled: a manifest, the manifests under it, and all their blobs.
///
/// Every image is a function of its seed, so that digests are the same in every run.
package struct TestImage: Sendable {
    package let manifest: ManifestContent
    package let children: [ManifestContent]
    package let blobs: [Content]

    package var digest: Digest { manifest.digest }
    package var manifests: [ManifestContent] { [manifest] + children }
    /// The blob with most bytes: the layer.
    package var largestBlob: Content { blobs.max { $0.count < $1.count } ?? Content("") }

    /// The two families of media types.
    package enum Format: String, CaseIterable, Sendable {
        case oci
        case docker

        var manifest: String { self == .oci ? MediaType.ociManifest : MediaType.dockerManifest }
        var index: String { self == .oci ? MediaType.ociIndex : MediaType.dockerManifestList }
        var config: String {
            self == .oci
                ? "application/vnd.oci.image.config.v1+json" : "application/vnd.docker.container.image.v1+json"
        }
        var layer: String {
            self == .oci
                ? "application/vnd.oci.image.layer.v1.tar+gzip"
                : "application/vnd.docker.image.rootfs.diff.tar.gzip"
        }
    }
}

extension TestImage {
    /// An image for one platform, real enough for Docker, Podman and containerd to unpack.
    package static func single(
        seed: UInt64,
        format: Format = .oci,
        architecture: String = "amd64",
        layers layerSizes: [Int] = [20_000, 100_000]
    ) -> TestImage {
        let layers = layerSizes.enumerated()
            .map { number, size in
                Layer(seed: seed &* 1000 &+ UInt64(number), name: "file-\(seed)-\(number)", size: size)
            }
        let config = Content(configuration(architecture: architecture, layers: layers))
        let document = """
            {"schemaVersion":2,"mediaType":"\(format.manifest)",\
            "config":\(descriptor(format.config, config)),\
            "layers":[\(layers.map { descriptor(format.layer, $0.compressed) }.joined(separator: ","))]}
            """
        return TestImage(
            manifest: ManifestContent(mediaType: format.manifest, content: Content(document)),
            children: [],
            blobs: [config] + layers.map(\.compressed)
        )
    }

    /// An index of amd64 and arm64, and in the OCI format an attestation as BuildKit attaches it.
    package static func multiPlatform(
        seed: UInt64,
        format: Format = .oci,
        layers: [Int] = [20_000, 100_000]
    ) -> TestImage {
        let platforms = ["amd64", "arm64"]
        var members = platforms.enumerated()
            .map { number, architecture in
                let seed = seed &* 100 &+ UInt64(number)
                return single(seed: seed, format: format, architecture: architecture, layers: layers)
            }
        var entries = zip(platforms, members)
            .map { architecture, image in
                descriptor(
                    format.manifest,
                    image.manifest.content,
                    extra: #","platform":{"architecture":"\#(architecture)","os":"linux"}"#
                )
            }
        if format == .oci {
            let attestation = attestation(of: members[0].digest, seed: seed)
            members.append(attestation)
            let annotations = """
                ,"platform":{"architecture":"unknown","os":"unknown"},"annotations":\
                {"vnd.docker.reference.digest":"\(members[0].digest)",\
                "vnd.docker.reference.type":"attestation-manifest"}
                """
            entries.append(descriptor(format.manifest, attestation.manifest.content, extra: annotations))
        }
        let document = """
            {"schemaVersion":2,"mediaType":"\(format.index)","manifests":[\(entries.joined(separator: ","))]}
            """
        return TestImage(
            manifest: ManifestContent(mediaType: format.index, content: Content(document)),
            children: members.map(\.manifest),
            blobs: members.flatMap(\.blobs)
        )
    }

    private static func attestation(of subject: Digest, seed: UInt64) -> TestImage {
        artifact(
            configType: "application/vnd.oci.image.config.v1+json",
            config: Content(#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#),
            layerType: "application/vnd.in-toto+json",
            layer: Content(#"{"_type":"https://in-toto.io/Statement/v0.1","subject":"\#(subject)","seed":\#(seed)}"#)
        )
    }

    static func descriptor(_ mediaType: String, _ content: Content, extra: String = "") -> String {
        #"{"mediaType":"\#(mediaType)","digest":"\#(content.digest)","size":\#(content.count)\#(extra)}"#
    }

    private static func configuration(architecture: String, layers: [Layer]) -> String {
        let identifiers = layers.map { "\"\($0.identifier)\"" }.joined(separator: ",")
        let history = layers.map { _ in #"{"created":"2026-01-01T00:00:00Z","created_by":"test"}"# }
        return """
            {"created":"2026-01-01T00:00:00Z","architecture":"\(architecture)","os":"linux",\
            "config":{"Cmd":["/hello"]},"rootfs":{"type":"layers","diff_ids":[\(identifiers)]},\
            "history":[\(history.joined(separator: ","))]}
            """
    }
}

/// A layer: a tar with one incompressible file, as gzip.
private struct Layer {
    let compressed: Content
    /// The digest of the tar itself (`diff_id`), which runtimes check.
    let identifier: Digest

    init(seed: UInt64, name: String, size: Int) {
        var random = SeededRandom(seed: seed)
        var tar = Tar()
        tar.add(name, random.bytes(size))
        let bytes = tar.closed()
        identifier = Content.digest(of: bytes)
        compressed = Content(StoredGzip.wrap(bytes))
    }
}
