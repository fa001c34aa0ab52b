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
            perform(call.task, for: exchange)
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

    private static func perform(_ task: CareTask, for exchange: Exchange) {
        let administration = exchange.server.cache
        LineStream(exchange)
            .run { emit in
                do throws(CareError) {
                    try await administration.perform(task) { report throws(CareError) in
                        guard await emit(CareLine.report(report).json) else { throw .stopped }
                    }
                    return nil
                } catch {
                    let line = CareLine.error("\(error)").json
                    return LineStream.Failure(status: error.status, message: "\(error)", label: "care", line: line)
                }
            }
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
