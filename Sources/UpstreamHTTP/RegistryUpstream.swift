package import Curl
import FoundationEssentials
import Locking
package import Logging
package import MirrorCore
package import OCI

/// A registry reached over HTTP.
///
/// Every method is one question to the registry, within the concurrency window of its kind, carried through challenges
/// and redirects. What an answer means for the cache is the caller's.
package final class RegistryUpstream: Upstream {
    package let name: UpstreamName
    let client: RegistryClient
    let endpoint: Location
    let heads: Window
    let manifests: Window
    let blobs: Window
    let gate: UpstreamGate
    let time: Timekeeper
    /// How long a request may wait for leave to be sent.
    let patience: Duration
    /// Whether HEADs of blobs were found to be refused where GETs are not (public.ecr.aws).
    private let refusesBlobHeads = Locked(false)

    /// Makes a client of one registry; nothing is sent yet.
    ///
    /// `environment` is where docker's configuration, credential helpers and proxies are looked for.
    package init(
        _ options: UpstreamOptions,
        transfers: TransferLoop,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        ledger: any QuotaLedger,
        time: Timekeeper = .system(),
        metrics: Metrics,
        logger: Logger
    ) throws(UpstreamOptionsError) {
        guard let endpoint = Location(endpoint: options.endpoint) else { throw .endpoint(options.endpoint) }
        var logger = logger
        logger[metadataKey: "upstream"] = "\(options.name)"
        let realms = RealmRules(endpoint: endpoint.origin, trustedRealms: options.trustedRealms)
        gate = UpstreamGate(options, endpoint: endpoint.origin, time: time, logger: logger)
        let requester = Requester(
            options,
            realms: realms,
            endpoint: endpoint,
            gate: gate,
            transfers: transfers,
            environment: environment,
            metrics: metrics,
            logger: logger
        )
        let tokenEndpoint = TokenEndpoint(requester: requester, now: { .now })
        let authoriser = Authoriser(
            endpoint: endpoint.origin,
            realms: realms,
            source: CredentialSource(
                options.credentials,
                upstream: options.name,
                environment: environment,
                logger: logger
            ),
            tokens: TokenCache { (key) async throws(UpstreamError) in try await tokenEndpoint.token(for: key) },
            logger: logger
        )
        name = options.name
        self.endpoint = endpoint
        self.time = time
        patience = options.timeouts.answerWithin
        client = RegistryClient(
            requester: requester,
            authoriser: authoriser,
            meter: QuotaMeter(upstream: options.name, ledger: ledger)
        )
        heads = Window("heads", places: options.concurrency.heads, time: time, logger: logger)
        manifests = Window("manifests", places: options.concurrency.manifests, time: time, logger: logger)
        blobs = Window("blobs", places: options.concurrency.blobs, time: time, logger: logger)
    }

    package var isFailing: Bool { gate.isFailing }

    package func headManifest(
        _ reference: Reference,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> ManifestDescription {
        var call = manifestCall(reference, repository, errand)
        call.kind = .head
        call.method = .head
        let head = try await answer(to: call, in: heads).head
        return ManifestDescription(
            digest: head["Docker-Content-Digest"].flatMap { try? Digest($0) },
            mediaType: head.mediaType,
            size: head.contentLength
        )
    }

    package func manifest(
        _ reference: Reference,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> FetchedManifest {
        let answer = try await answer(to: manifestCall(reference, repository, errand), in: manifests)
        return FetchedManifest(bytes: answer.body, mediaType: answer.head.mediaType)
    }

    package func headBlob(
        _ digest: Digest,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> Int? {
        var call = blobCall(digest, repository, errand, use: .drop)
        call.kind = .head
        guard !refusesBlobHeads.withLock({ $0 }) else { return try await lengthByRange(call) }
        call.method = .head
        do throws(UpstreamError) {
            return try await answer(to: call, in: heads).head.contentLength
        } catch .denied, .headUnsupported, .unavailable(.status(401)), .unavailable(.status(403)) {
            // Places that a redirect leads to refuse a HEAD too: their signatures are for one method.
            call.method = .get
            let length = try await lengthByRange(call)
            // Denied and then not: it was the method.
            refusesBlobHeads.withLock { $0 = true }
            return length
        }
    }

    package func blob(
        _ digest: Digest,
        in repository: RepositoryName,
        from offset: Int,
        into sink: any BlobSink,
        for errand: Errand
    ) async throws(UpstreamError) {
        var call = blobCall(digest, repository, errand, use: .relay(sink, offset: offset))
        if offset > 0 { call.fields.append(HeaderField("Range", "bytes=\(offset)-")) }
        _ = try await answer(to: call, in: blobs)
    }
}

// MARK: - Calls

extension RegistryUpstream {
    /// Carries a call within a window to a success.
    func answer(to call: RegistryClient.Call, in window: Window) async throws(UpstreamError) -> Answer {
        let answer = try await reply(to: call, in: window)
        guard answer.status == 200 || answer.status == 206 else { throw answer.error(isHead: call.method == .head) }
        return answer
    }

    func location(of path: String, in repository: RepositoryName) -> Location {
        Location(origin: endpoint.origin, target: "\(endpoint.target)v2/\(repository)/\(path)")
    }

    private func manifestCall(
        _ reference: Reference,
        _ repository: RepositoryName,
        _ errand: Errand
    ) -> RegistryClient.Call {
        RegistryClient.Call(
            kind: .manifest,
            errand: errand,
            isManifest: true,
            repository: repository,
            start: location(of: "manifests/\(reference)", in: repository),
            fields: [HeaderField("Accept", MediaType.acceptedManifests)],
            use: .keep(limit: Manifest.maximumSize)
        )
    }

    private func blobCall(
        _ digest: Digest,
        _ repository: RepositoryName,
        _ errand: Errand,
        use: BodyUse
    ) -> RegistryClient.Call {
        RegistryClient.Call(
            kind: .blob,
            errand: errand,
            repository: repository,
            start: location(of: "blobs/\(digest)", in: repository),
            fields: [HeaderField("Accept", "*/*")],
            use: use
        )
    }

    /// The length that the answer to a GET of one byte tells.
    private func lengthByRange(_ call: RegistryClient.Call) async throws(UpstreamError) -> Int? {
        var call = call
        call.fields.append(HeaderField("Range", "bytes=0-0"))
        let head = try await answer(to: call, in: heads).head
        guard head.status == 206 else { return head.contentLength }
        return head["Content-Range"].flatMap(ContentRange.init)?.total
    }
}

extension Location {
    /// Takes a registry's address as people write it, with or without the slash or `/v2` at its end.
    fileprivate init?(endpoint text: String) {
        guard let location = Location(text), !text.contains("?"), !text.contains("#") else { return nil }
        self = location
        while target.hasSuffix("/") { target.removeLast() }
        if target.hasSuffix("/v2") { target.removeLast(3) }
        target += "/"
    }
}

extension ResponseHead {
    /// The `Content-Type` without parameters.
    var mediaType: String? {
        self["Content-Type"].map(MediaType.essence).flatMap { $0.isEmpty ? nil : $0 }
    }
}
