import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// The answer to work that takes as long as it takes: lines, each as it comes.
///
///     waiting ──first line──▶ streaming ──done──▶ ended
///        └──failure──▶ refused
///
/// Confined to the connection's event loop. The work is cancelled when the client leaves, or the server begins to drain.
final class LineStream {
    /// Sends a line and waits until the client's socket has taken it; `false` when there is nobody to take it.
    typealias Emit = @Sendable ([UInt8]) async -> Bool

    /// Why the work could not be done: a status where nothing has been sent yet, else a last line.
    struct Failure: Sendable {
        var status: HTTPResponseStatus
        var message: String
        /// For the access log, from a bounded set.
        var label: String
        var line: [UInt8]
    }

    private let exchange: Exchange
    private var task: Task<Void, Never>?
    private var heartbeat: Scheduled<Void>?
    private var hasBegun = false

    init(_ exchange: Exchange) {
        self.exchange = exchange
    }

    func run(_ work: @escaping @Sendable (_ emit: @escaping Emit) async -> Failure?) {
        guard exchange.request.version == .http1_1 else {
            // HTTP/1.0 has no chunks: an answer that breaks off would look complete.
            CacheResponder.refuse(exchange, .httpVersionNotSupported, "this takes HTTP/1.1", "version")
            return
        }
        let stream = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        let eventLoop = exchange.eventLoop
        exchange.onCutShort { self.end() }
        scheduleBeat()
        task = Task {
            let failure = await work { line in
                let sent = eventLoop.flatSubmit { stream.value.send(line) }
                return (try? await sent.get()) != nil
            }
            eventLoop.execute { stream.value.finish(failure) }
        }
    }

    private func send(_ line: [UInt8]) -> EventLoopFuture<Void> {
        if !hasBegun {
            hasBegun = true
            var head = ResponseHead(.ok, contentType: "application/x-ndjson", contentLength: nil)
            head.sendInChunks()
            head.add("Cache-Control", "no-store")
            exchange.begin(head)
        }
        return exchange.enqueue(.byteBuffer(exchange.allocator.buffer(bytes: line)))
    }

    private func scheduleBeat() {
        let pulse = TimeAmount(exchange.server.options.pulse)
        heartbeat = exchange.eventLoop.assumeIsolated().scheduleTask(in: pulse) { self.beat() }
    }

    private func beat() {
        guard exchange.isOpen else { return }
        if exchange.server.lifecycle.phase == .draining { task?.cancel() }
        _ = send([UInt8(ascii: "\n")])
        scheduleBeat()
    }

    private func finish(_ failure: Failure?) {
        end()
        guard exchange.isOpen else { return }
        switch failure {
        case nil:
            if !hasBegun { _ = send([]) }
            exchange.end()
        case let failure? where hasBegun:
            exchange.record.error = failure.label
            _ = send(failure.line)
            exchange.end()
        case let failure?:
            CacheResponder.refuse(exchange, failure.status, failure.message, failure.label)
        }
    }

    private func end() {
        heartbeat?.cancel()
        heartbeat = nil
        task?.cancel()
        task = nil
    }
}
