import Curl
import FoundationEssentials
import Hashing
package import MirrorCore
package import OCI

/// A tidepool elsewhere, warmed by pulling from it: what it sends is verified and thrown away.
///
/// It knows nothing of prewarming: it reads upstream as for any client, and its ledger cannot be seen. What is held there
/// is what it says is a hit (`Cache-Status`, RFC 9211); of a mirror that does not say, nothing.
package struct RemoteMirror: WarmMirror {
    /// Blobs that are asked about at one time.
    private static let width = 8
    /// How often a blob's transfer goes on after it has broken.
    private static let mostAttempts = 6

    private let mirror: RegistryUpstream

    /// Takes a client whose endpoint is the mirror's.
    package init(_ mirror: RegistryUpstream) {
        self.mirror = mirror
    }

    private var errand: Errand { Errand(for: Caller(address: "prewarm", purpose: .prewarm)) }

    package func repository(_ path: String, of registry: String) async throws(MirrorError) -> Repository {
        let upstream = UpstreamName(registry)
        let isShort = upstream == .dockerHub && !path.contains("/")
        guard let name = try? RepositoryName(isShort ? "library/\(path)" : path) else { throw .repositoryUnknown }
        return Repository(upstream: upstream, name: name)
    }

    package func tags(in repository: Repository) async throws(MirrorError) -> [String] {
        struct Page: Decodable {
            var tags: [String]?
        }
        var call = call("tags/list", repository, .tags)
        call.use = .keep(limit: RegistryUpstream.listSizeLimit)
        let answer = try await answer(to: call, in: mirror.heads, missing: .repositoryUnknown)
        guard let page = try? JSONDecoder().decode(Page.self, from: Data(answer.body)) else {
            throw .unavailable(reason: "unusable", retryAfter: nil)
        }
        return page.tags ?? []
    }

    package func look(
        up tag: OCI.Tag,
        in repository: Repository,
        isImmutable: Bool
    ) async throws(MirrorError) -> WarmTag {
        let head = try await head("manifests/\(tag)", repository, missing: .manifestUnknown)
        guard !head.isStale else { throw .unavailable(reason: "stale", retryAfter: nil) }
        guard let digest = head["Docker-Content-Digest"].flatMap({ try? Digest($0) }) else {
            throw .unavailable(reason: "unusable", retryAfter: nil)
        }
        return WarmTag(
            digest: digest,
            mediaType: head.mediaType ?? MediaType.ociManifest,
            size: head.contentLength ?? 0
        )
    }

    package func heldManifest(
        _ digest: Digest,
        in repository: Repository
    ) async throws(MirrorError) -> HeldManifest? {
        let head: ResponseHead
        do throws(MirrorError) {
            head = try await self.head("manifests/\(digest)", repository, missing: .manifestUnknown)
        } catch {
            // What cannot be told now is not held; a GET will say more.
            if error == .shuttingDown { throw error }
            return nil
        }
        guard head.isHit else { return nil }
        return HeldManifest(bytes: try await read(digest, repository).body, isProved: true)
    }

    package func manifest(
        _ digest: Digest,
        in repository: Repository,
        keeping reserve: Int?
    ) async throws(MirrorError) -> WarmManifest {
        let answer = try await read(digest, repository)
        return WarmManifest(bytes: answer.body, wasRead: answer.head.wasFetched)
    }

    private func read(_ digest: Digest, _ repository: Repository) async throws(MirrorError) -> Answer {
        var call = call("manifests/\(digest)", repository, .manifest)
        call.use = .keep(limit: Manifest.maximumSize)
        let answer = try await answer(to: call, in: mirror.manifests, missing: .manifestUnknown)
        let hash = ContentHasher.hash(answer.body.span, HashAlgorithm(digest.algorithm))
        guard Digest(algorithm: digest.algorithm, bytes: hash.span) == digest else { throw .corrupt }
        return answer
    }

    package func holdings(of blobs: [Digest], in repository: Repository) async throws(MirrorError) -> [BlobHolding] {
        await withTaskGroup(of: (Int, Bool).self) { group in
            var holdings = [BlobHolding](repeating: .missing(received: 0), count: blobs.count)
            for (index, blob) in blobs.enumerated() {
                if index >= Self.width, let (done, isHeld) = await group.next(), isHeld { holdings[done] = .held }
                group.addTask {
                    let head = try? await self.head("blobs/\(blob)", repository, missing: .blobUnknown)
                    return (index, head?.isHit ?? false)
                }
            }
            for await (done, isHeld) in group where isHeld { holdings[done] = .held }
            return holdings
        }
    }

    package func warm(
        _ blob: Digest,
        in repository: Repository,
        progress: @escaping @Sendable (Int) -> Void
    ) async throws(MirrorError) {
        let sink = VerifyingSink(blob, progress)
        var failures = 0
        while !sink.isComplete {
            let offset = sink.received
            do throws(UpstreamError) {
                var call = call("blobs/\(blob)", repository, .blob)
                call.use = .relay(sink, offset: offset)
                if offset > 0 { call.fields.append(HeaderField("Range", "bytes=\(offset)-")) }
                _ = try await mirror.answer(to: call, in: mirror.blobs)
                break
            } catch {
                // With progress it goes on, as often as it takes.
                failures = sink.received > offset ? 0 : failures + 1
                guard error.isTransient, failures < Self.mostAttempts, !Task.isCancelled else {
                    throw MirrorError(error, missing: .blobUnknown)
                }
                await mirror.time.sleep(.milliseconds(200 << min(failures, 5)))
            }
        }
        guard sink.verify() else { throw .corrupt }
    }

    package func referrers(of digest: Digest, in repository: Repository) async throws(MirrorError) -> [UInt8] {
        var call = call("referrers/\(digest)", repository, .referrers)
        call.use = .keep(limit: RegistryUpstream.listSizeLimit)
        return try await answer(to: call, in: mirror.heads, missing: .repositoryUnknown).body
    }

    /// Nothing is known of it from here.
    package func quota(of upstream: UpstreamName) async -> WarmQuota { WarmQuota() }

    // MARK: - Calls

    private func call(_ path: String, _ repository: Repository, _ kind: RequestKind) -> RegistryClient.Call {
        // `ns` names the upstream, a port included, whatever its aliases are there.
        let start = mirror.location(of: "\(path)?ns=\(repository.upstream)", in: repository.name)
        var call = RegistryClient.Call(
            kind: kind,
            errand: errand,
            isManifest: kind == .manifest,
            repository: repository.name,
            start: start,
            use: .drop
        )
        call.fields = [HeaderField("Accept", kind == .manifest ? MediaType.acceptedManifests : "*/*")]
        return call
    }

    private func head(
        _ path: String,
        _ repository: Repository,
        missing: MirrorError
    ) async throws(MirrorError) -> ResponseHead {
        var call = call(path, repository, .head)
        call.method = .head
        call.fields = [HeaderField("Accept", MediaType.acceptedManifests)]
        return try await answer(to: call, in: mirror.heads, missing: missing).head
    }

    private func answer(
        to call: RegistryClient.Call,
        in window: Window,
        missing: MirrorError
    ) async throws(MirrorError) -> Answer {
        do throws(UpstreamError) {
            return try await mirror.answer(to: call, in: window)
        } catch {
            throw MirrorError(error, missing: missing)
        }
    }
}

extension ResponseHead {
    private var cacheStatus: String { self["Cache-Status"]?.lowercased() ?? "" }
    private var cacheParameters: [String] { cacheStatus.split(separator: ";").map(\.trimmed) }

    /// Whether the mirror has answered from what it holds.
    fileprivate var isHit: Bool { cacheParameters.contains("hit") && !isStale }
    fileprivate var isStale: Bool { cacheParameters.contains("detail=stale") }
    /// Whether it was fetched upstream for this answer; a mirror that does not say is believed to have done so.
    fileprivate var wasFetched: Bool {
        cacheStatus.isEmpty || cacheParameters.contains("fwd=miss") && !cacheParameters.contains("collapsed")
    }
}
