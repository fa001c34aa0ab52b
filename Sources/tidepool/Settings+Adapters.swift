import MirrorCore
import OCI
import Posix
import RegistryHTTP
import Settings
import UpstreamHTTP

// What the settings mean to each adapter. No adapter sees the settings themselves.

extension UpstreamPolicy {
    init(_ settings: UpstreamSettings) {
        self.init()
        tagTTL = settings.tagTTL
        immutableTags = settings.immutableTags.map(Glob.init)
        onUpstreamGone =
            switch settings.onUpstreamGone {
            case .refuse: .refuse
            case .serve: .serve
            }
        deniedGrace = settings.deniedGrace
        staleIfError = settings.staleIfError
        negativeTTL = settings.negativeTTL
        retries = settings.retries
        answerWithin = settings.timeouts.answerWithin
        revalidateWithin = settings.timeouts.revalidateWithin
        reserve = settings.reserve
        contentSources = settings.contentSources.map { source in
            ContentSource(name: UpstreamName(source.name), repositories: source.repositories.map(Glob.init))
        }
        allow = settings.allow.map(Glob.init)
        deny = settings.deny.map(Glob.init)
    }
}

extension SpaceLimits {
    /// Asks the file system of the data directory where the settings speak of shares of it.
    init(_ settings: CacheSettings, in dataDirectory: String) throws(SystemCallError) {
        let total = try FileSystem.containing(dataDirectory).totalBytes
        let minFree =
            switch settings.minFree {
            case .percent(let percent): total / 100 * percent
            case .bytes(let size): size.bytes
            }
        self.init(
            maxSize: settings.maxSize?.bytes ?? min(100_000_000_000, total / 100 * 80),
            minFree: minFree,
            maxManifestsSize: settings.maxManifestsSize.bytes
        )
    }
}

extension UpstreamOptions {
    init(_ settings: UpstreamSettings, instanceID: String) {
        self.init(
            name: UpstreamName(settings.name),
            endpoint: "\(settings.endpoint)",
            instanceID: instanceID,
            version: Release.version
        )
        credentials =
            switch settings.credentials {
            case .automatic, .dockerConfig: .dockerConfig
            case .anonymous: .anonymous
            case .basic(let username, let password): .password(username: username, password)
            case .token(let token): .token(token)
            }
        timeouts.connect = settings.timeouts.connect
        timeouts.head = settings.timeouts.head
        timeouts.stall = settings.timeouts.stall
        timeouts.answerWithin = settings.timeouts.answerWithin
        requestsPerMinute = settings.requestsPerMinute
        concurrency.heads = settings.concurrency.heads
        concurrency.manifests = settings.concurrency.manifests
        concurrency.blobs = settings.concurrency.blobs
        trustedRealms = settings.trustedRealms
        caFile = settings.caFile
        isInsecure = settings.insecure
        proxy = settings.proxy?.url.reveal() ?? ""
    }
}

extension UpstreamOptions {
    /// A content source: reached like the upstream it stands in for, as whoever Docker's configuration says.
    init(_ source: ContentSource, like upstream: UpstreamOptions) {
        self.init(
            name: UpstreamName(source.name),
            endpoint: "\(source.url)",
            instanceID: upstream.instanceID,
            version: upstream.version
        )
        timeouts = upstream.timeouts
        concurrency = upstream.concurrency
        requestsPerMinute = upstream.requestsPerMinute
        proxy = upstream.proxy
    }
}

extension LogSettings {
    /// The access log is what the level `info` has for each request.
    func accessLog(to lines: any AccessLines) -> RegistryServer.AccessLogOutput? {
        switch level {
        case .trace, .debug, .info: RegistryServer.AccessLogOutput(format == .json ? .json : .text, to: lines)
        case .notice, .warning, .error, .critical: nil
        }
    }
}

extension RegistryServer.Options {
    init(_ settings: MirrorSettings, instanceID: String) {
        self.init(
            listeners: settings.listen.map { listener in
                RegistryServer.Listener(
                    address: "\(listener.address)",
                    tls: listener.tls.map { .init(certificate: $0.certificate, key: $0.key) }
                )
            },
            instanceID: instanceID
        )
        limits.connections = settings.limits.connections
        limits.headerBytes = settings.limits.headerBytes.bytes
        limits.headTimeout = settings.limits.headTimeout
        limits.idleTimeout = settings.limits.idleTimeout
        limits.sendStall = settings.limits.sendStall
        // The core keeps its own budget; this is for the case that it does not.
        answerWithin = (settings.upstreams.map(\.timeouts.answerWithin).max() ?? answerWithin) + .seconds(3)
        whenExhausted =
            switch settings.whenExhausted {
            case .serviceUnavailable: .serviceUnavailable
            case .tooManyRequests: .tooManyRequests
            }
        version = Release.version
    }
}
