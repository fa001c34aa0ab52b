extension RegistryServer {
    /// What the server is told by its settings.
    package struct Options: Sendable {
        /// At least one.
        package var listeners: [Listener]
        /// Where the admin endpoints, and they only, are served to commands on this machine; `nil` for nowhere.
        ///
        /// Nothing may have that name. It is for this process's user only, and goes when the server drains.
        package var controlSocket: String?
        package var limits = Limits()
        /// Event loops; `nil` is one for each processor that the process may use.
        package var eventLoops: Int?
        /// Marks this process in `Via`: a request that carries it has come round, and is refused.
        package var instanceID: String
        /// The last resort for an answer that the core does not give; longer than the core's own `answer_within`.
        package var answerWithin: Duration = .seconds(28)
        package var whenExhausted = ExhaustedStatus.serviceUnavailable
        /// `nil` for none.
        package var accessLog: AccessLogOutput?
        /// For the status page.
        package var version = ""
        /// How often the certificates of TLS listeners are looked at.
        var certificateInterval: Duration = .seconds(30)
        /// So often an empty line tells whoever waits for work on the cache that it goes on, and the server is looked at.
        var pulse: Duration = .seconds(1)
        /// So long the express lane waits for a client's first bytes, before an event loop does.
        ///
        /// A client sends its request as soon as it is connected; deadlines for one that does not are the event loops'.
        var expressWait: Duration = .milliseconds(50)
        /// For tests of a socket that takes little: so many bytes does the express lane send at once.
        var longestExpressSend = Int.max
        /// For tests of a disk that fails.
        var pageCache = FileAccess.PageCacheCalls()

        package init(listeners: [Listener], instanceID: String) {
            self.listeners = listeners
            self.instanceID = instanceID
        }
    }

    /// One address to listen on.
    package struct Listener: Hashable, Sendable {
        /// `host:port`, `[v6]:port` or `:port`.
        package var address: String
        package var tls: TLSFiles?

        package init(address: String, tls: TLSFiles? = nil) {
            self.address = address
            self.tls = tls
        }
    }

    /// Paths of PEM files: the certificate with its chain, and its key.
    package struct TLSFiles: Hashable, Sendable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// The bounds on what clients may take up.
    package struct Limits: Hashable, Sendable {
        /// Open connections; one more is accepted and closed at once.
        package var connections = 4096
        /// The head of one request.
        package var headerBytes = 32 << 10
        package var headerCount = 100
        package var uriBytes = 8 << 10
        /// From the connection (or the first byte of the next request) to the end of the request's head.
        package var headTimeout: Duration = .seconds(30)
        /// Between two requests.
        package var idleTimeout: Duration = .seconds(75)
        /// How long a client may take no byte of what waits for it.
        package var sendStall: Duration = .seconds(60)

        package init() {}
    }

    /// The status of an answer that the upstream's limits do not allow (PROTOCOL A7).
    package enum ExhaustedStatus: Hashable, Sendable {
        /// Moves clients on to their next endpoint at once.
        case serviceUnavailable
        /// The literal truth, which containerd answers by asking five times more, and podman by sleeping.
        case tooManyRequests
    }
}
