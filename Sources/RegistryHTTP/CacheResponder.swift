import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Answers for those who look after the cache, by the control socket only: a list of it names private repositories, and
/// takes a walk through all of it.
enum CacheResponder {
    static func answer(_ exchange: Exchange) {
        exchange.record.kind = .admin
        guard exchange.isControl else {
            ErrorResponder.respond(RouteError.notFound, to: exchange)
            return
        }
        do throws(RouteError) {
            answer(exchange, try RequestTarget(exchange.request.uri))
        } catch {
            ErrorResponder.respond(error, to: exchange)
        }
    }

    private static func answer(_ exchange: Exchange, _ target: RequestTarget) {
        do throws(CacheCall.Failure) {
            let call = try CacheCall(target)
            guard (exchange.request.method == .POST) == call.task.changesState else {
                refuseMethod(exchange, allowing: call.task.changesState ? "POST" : "GET")
                return
            }
            guard exchange.request.version == .http1_1 else {
                // HTTP/1.0 has no chunks: an answer that breaks off would look complete.
                refuse(exchange, .httpVersionNotSupported, "this takes HTTP/1.1", "version")
                return
            }
            ReportStream(exchange).run(call.task)
        } catch .parameter(let name) {
            refuse(exchange, .badRequest, "the parameter \"\(name)\" is missing or wrong", "parameter")
        } catch {
            ErrorResponder.respond(RouteError.notFound, to: exchange)
        }
    }

    private static func refuseMethod(_ exchange: Exchange, allowing method: String) {
        refuse(exchange, .methodNotAllowed, "this is for \(method)", "method")
    }

    static func refuse(_ exchange: Exchange, _ status: HTTPResponseStatus, _ message: String, _ label: String) {
        ErrorResponder.respond(status: status, code: .unsupported, message: message, label: label, to: exchange)
    }
}

/// The answer to one task: a line for each report, as it comes.
///
///     waiting ──first report──▶ streaming ──done──▶ ended
///        └──failure──▶ refused
///
/// Confined to the connection's event loop. The task is cancelled when the client leaves, or the server begins to drain.
private final class ReportStream {

    private let exchange: Exchange
    private var task: Task<Void, Never>?
    private var heartbeat: Scheduled<Void>?
    private var hasBegun = false

    init(_ exchange: Exchange) {
        self.exchange = exchange
    }

    func run(_ work: CareTask) {
        let administration = exchange.server.cache
        let stream = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        let eventLoop = exchange.eventLoop
        exchange.onCutShort { self.end() }
        scheduleBeat()
        task = Task {
            let failure: CareError?
            do throws(CareError) {
                try await administration.perform(work) { report throws(CareError) in
                    let line = CareLine.report(report).json
                    let sent = eventLoop.flatSubmit { stream.value.send(line) }
                    guard (try? await sent.get()) != nil else { throw .stopped }
                }
                failure = nil
            } catch {
                failure = error
            }
            eventLoop.execute { stream.value.finish(failure) }
        }
    }

    private func begin() {
        guard !hasBegun else { return }
        hasBegun = true
        var head = ResponseHead(.ok, contentType: "application/x-ndjson", contentLength: nil)
        head.sendInChunks()
        head.add("Cache-Control", "no-store")
        exchange.begin(head)
    }

    private func send(_ line: [UInt8]) -> EventLoopFuture<Void> {
        begin()
        return exchange.send(.byteBuffer(exchange.allocator.buffer(bytes: line)))
    }

    private func scheduleBeat() {
        heartbeat = exchange.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(exchange.server.options.pulse)) { self.beat() }
    }

    private func beat() {
        guard exchange.isOpen else { return }
        if exchange.server.lifecycle.phase == .draining { task?.cancel() }
        _ = send([UInt8(ascii: "\n")])
        scheduleBeat()
    }

    private func finish(_ failure: CareError?) {
        end()
        guard exchange.isOpen else { return }
        switch failure {
        case nil:
            begin()
            exchange.end()
        case let failure? where hasBegun:
            exchange.record.error = "care"
            _ = send(CareLine.error("\(failure)").json)
            exchange.end()
        case let failure?:
            CacheResponder.refuse(exchange, failure.status, "\(failure)", "care")
        }
    }

    private func end() {
        heartbeat?.cancel()
        heartbeat = nil
        task?.cancel()
        task = nil
    }
}

extension CareError {
    fileprivate var status: HTTPResponseStatus {
        switch self {
        case .malformed: .badRequest
        case .unknown, .upstreamUnknown, .notPinned: .notFound
        case .pinned, .busy: .conflict
        case .failed: .internalServerError
        case .stopped: .serviceUnavailable
        }
    }
}
