import Locking
import Logging
import MirrorCore
import NIOCore
import NIOPosix

/// What all connections of a server share.
final class ServerContext: Sendable {
    let options: RegistryServer.Options
    let registry: any Registry
    let administration: any Administration
    let cache: any CacheAdministration
    /// `nil` where nobody may warm the cache from another process.
    let warming: (any WarmMirror)?
    let metrics: Metrics
    let logger: Logger
    let lifecycle = Lifecycle()
    let activity = Activity()
    let connections: Connections
    /// Where there are listeners that have an express lane.
    let expressAnswers: ExpressAnswers?
    let files: FileAccess
    /// So much memory may the prepared answers of an event loop take.
    let preparedBytes: Int
    private let loops = ThreadSpecificVariable<NIOLoopBoundBox<LoopContext>>()

    init(
        options: RegistryServer.Options,
        registry: any Registry,
        administration: any Administration,
        cache: any CacheAdministration,
        warming: (any WarmMirror)?,
        metrics: Metrics,
        logger: Logger,
        connections: Connections,
        files: FileAccess,
        eventLoops: Int
    ) {
        self.options = options
        self.registry = registry
        self.administration = administration
        self.cache = cache
        self.warming = warming
        self.metrics = metrics
        self.logger = logger
        self.connections = connections
        preparedBytes = max(Self.preparedBytes / eventLoops, Self.leastPreparedBytes)
        expressAnswers = options.listeners.contains { $0.tls == nil } ? ExpressAnswers(mostBytes: preparedBytes) : nil
        self.files = files
    }

    /// What all event loops together may take for prepared answers, unless that leaves one of them hardly any.
    private static let preparedBytes = 16 << 20
    private static let leastPreparedBytes = 2 << 20

    /// What belongs to the event loop, on which this is called.
    func shared(on eventLoop: any EventLoop) -> LoopContext {
        if let loop = loops.currentValue { return loop.value }
        let loop = LoopContext(self, on: eventLoop)
        connections.add(loop.connections, on: eventLoop)
        loops.currentValue = NIOLoopBoundBox(loop, eventLoop: eventLoop)
        return loop
    }
}

/// Whether the server takes requests, for `/readyz`.
final class Lifecycle: Sendable {
    enum Phase: String {
        case starting
        case ready
        case draining
    }

    private let current = Locked(Phase.starting)
    private let cut = Locked(false)

    var phase: Phase { current.withLock { $0 } }

    /// Whether the draining is to end at once.
    var isCutShort: Bool { cut.withLock { $0 } }

    func cutShort() {
        cut.withLock { $0 = true }
    }

    /// Goes between starting and ready; draining is final.
    func set(isReady: Bool) {
        current.withLock { if $0 != .draining { $0 = isReady ? .ready : .starting } }
    }

    /// Returns whether this was the first call.
    func drain() -> Bool {
        current.withLock { phase in
            defer { phase = .draining }
            return phase != .draining
        }
    }
}
