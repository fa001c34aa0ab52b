import MirrorTesting
import NIOHTTP1
import OCI

/// A machine that pulls images, and keeps what it has pulled.
struct PullingNode: Sendable {
    /// How a client finds out what a tag is.
    enum Habit: CaseIterable {
        /// HEAD, then GET by digest of what it does not have: containerd and Docker.
        case headFirst
        /// GET by tag: Podman, skopeo, Flux.
        case getByTag
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let habit: Habit
    /// Everything that can be pulled, by digest.
    private var catalogue: [Digest: TestImage]
    /// The manifests and blobs that it has pulled.
    private(set) var held: Set<Digest> = []
    /// The manifests that it was told about or has pulled.
    private(set) var manifests: Set<Digest> = []

    init(habit: Habit, catalogue: [Digest: TestImage]) {
        self.habit = habit
        self.catalogue = catalogue
    }

    /// Pulls a tag for linux/amd64; every byte is compared with what was published.
    mutating func pull(_ tag: String, of repository: String, from client: TestClient) async throws {
        let path = "/v2/\(repository)"
        let response = try await client.request(
            habit == .headFirst ? "HEAD" : "GET",
            "\(path)/manifests/\(tag)",
            Self.accept
        )
        guard response.status == 200, let digest = response.digestHeader.flatMap({ try? Digest($0) }),
            let image = catalogue[digest]
        else { throw Failure(description: "\(repository):\(tag): \(response)") }
        if habit == .headFirst {
            try await fetch(image.manifest.content, "\(path)/manifests", from: client)
        } else {
            guard response.isExactly(image.manifest.content) else { throw Failure(description: "wrong: \(response)") }
        }
        manifests.insert(digest)
        held.insert(digest)
        if let platform = image.children.first {
            try await fetch(platform.content, "\(path)/manifests", from: client)
            manifests.insert(platform.digest)
        }
        let blobs = image.children.isEmpty ? image.blobs : image.amd64Blobs
        for blob in blobs { try await fetch(blob, "\(path)/blobs", from: client) }
    }

    private mutating func fetch(_ content: Content, _ path: String, from client: TestClient) async throws {
        guard !held.contains(content.digest) else { return }
        let response = try await client.get("\(path)/\(content.digest)", Self.accept)
        guard response.status == 200, response.isExactly(content) else {
            throw Failure(description: "\(path)/\(content.digest): \(response)")
        }
        held.insert(content.digest)
    }

    /// The same machine, when more has been published.
    func knowing(_ catalogue: [Digest: TestImage]) -> PullingNode {
        var node = self
        node.catalogue = catalogue
        return node
    }

    private static let accept: HTTPHeaders = ["Accept": MediaType.acceptedManifests]
}
