package import OCI

/// What a settings file means: every value present, every default applied.
///
/// The defaults are those of the initialisers here and in ``UpstreamSettings``, and nowhere else.
package struct MirrorSettings: Hashable, Sendable {
    /// At least one.
    package var listen: [Listener] = [Listener(address: ListenAddress(host: "127.0.0.1", port: 5000))]
    /// The directory that holds everything kept; made at start.
    package var dataDirectory: String
    /// The canonical name of the upstream that is meant when a request names none.
    package var defaultUpstream = UpstreamSettings.dockerHubName
    /// Docker Hub first, then as the file has them; canonical names, each once.
    package var upstreams = [UpstreamSettings(name: UpstreamSettings.dockerHubName)]
    package var cache = CacheSettings()
    package var limits = LimitSettings()
    package var whenExhausted = ExhaustedAnswer.serviceUnavailable
    package var admin = AdminSettings()
    /// How long a stopping server waits for answers on their way.
    package var drain = Duration.seconds(25)
    /// Configuration files of ocync whose `to` names are served too.
    package var serveTargets: [String] = []
    package var log = LogSettings()

    /// The defaults; where the data directory is depends on `XDG_DATA_HOME` and `HOME`.
    package init(environment: [String: String]) {
        dataDirectory = Self.defaultDataDirectory(environment)
    }

    /// The data directory by the XDG Base Directory Specification, which ignores relative paths.
    private static func defaultDataDirectory(_ environment: [String: String]) -> String {
        if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") { return "\(base)/tidepool" }
        if let home = environment["HOME"], home.hasPrefix("/") { return "\(home)/.local/share/tidepool" }
        return "/var/lib/tidepool"
    }
}

/// A server socket.
package struct Listener: Hashable, Sendable {
    package var address: ListenAddress
    /// `nil` for plain HTTP.
    package var tls: TLSFiles?

    package init(address: ListenAddress, tls: TLSFiles? = nil) {
        self.address = address
        self.tls = tls
    }
}

/// PEM files of a TLS server.
package struct TLSFiles: Hashable, Sendable {
    /// The certificate and its chain.
    package var certificate: String
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

package struct CacheSettings: Hashable, Sendable {
    /// The bound on blobs and spool; `nil` for the smaller of 100 GB and 80% of the file system.
    package var maxSize: ByteCount?
    /// What is left free on the file system, whoever fills it.
    package var minFree = FreeSpace.percent(5)
    package var maxManifestsSize = ByteCount(bytes: 2_000_000_000)
    /// The address space that the index may take: its upper bound, not memory or disk that it uses.
    package var indexMapSize = ByteCount(bytes: 64 << 30)

    package init() {}
}

/// Free space, in percent of a file system or in bytes.
package enum FreeSpace: Hashable, Sendable {
    case percent(Int)
    case bytes(ByteCount)

    /// Reads `5%` (below 100) or a size.
    init?(_ text: String) {
        if let size = ByteCount(text) {
            self = .bytes(size)
        } else {
            guard text.hasSuffix("%"), let percent = UInt16(digits: text.dropLast()), percent < 100 else { return nil }
            self = .percent(Int(percent))
        }
    }
}

extension FreeSpace: CustomStringConvertible {
    package var description: String {
        switch self {
        case .percent(let percent): "\(percent)%"
        case .bytes(let size): size.description
        }
    }
}

/// Bounds on what clients may do.
package struct LimitSettings: Hashable, Sendable {
    package var connections = 4096
    /// All header fields of a request together.
    package var headerBytes = ByteCount(bytes: 32 << 10)
    /// From the first byte of a request to the end of its head.
    package var headTimeout = Duration.seconds(30)
    /// Without a request on a connection that is kept alive.
    package var idleTimeout = Duration.seconds(75)
    /// Without a byte taken by a client that is being sent to.
    package var sendStall = Duration.seconds(60)

    package init() {}
}

/// The status when an upstream limits us and nothing that could be served is held.
package enum ExhaustedAnswer: String, CaseIterable, Hashable, Sendable {
    case serviceUnavailable = "503"
    case tooManyRequests = "429"
}

package struct AdminSettings: Hashable, Sendable {
    /// `nil` for the same ports as the registry.
    package var address: ListenAddress?
    /// `nil` when nothing may be changed over TCP.
    package var token: Secret?

    package init() {}
}

package struct LogSettings: Hashable, Sendable {
    package enum Level: String, CaseIterable, Sendable {
        case trace
        case debug
        case info
        case notice
        case warning
        case error
        case critical
    }

    package enum Format: String, CaseIterable, Sendable {
        case text
        case json
    }

    package var level = Level.info
    package var format = Format.text

    package init() {}
}
