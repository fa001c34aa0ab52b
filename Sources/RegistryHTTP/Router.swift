import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Finds who answers a request.
enum Router {
    static func answer(_ exchange: Exchange) {
        let mayPost = [CacheCall.prefix, WarmCall.prefix].contains { exchange.request.uri.hasPrefix($0) }
        guard !exchange.changesState || mayPost else {
            RequestCheck.Failure.method.respond(to: exchange)
            return
        }
        if AdminResponder.answer(exchange) { return }
        guard !exchange.isControl else {
            ErrorResponder.respond(RouteError.notFound, to: exchange)
            return
        }
        exchange.enterRegistryAPI()
        guard !isLoop(exchange) else {
            ErrorResponder.respond(
                status: .loopDetected,
                code: .unavailable,
                message: "the request has been through this mirror already: an upstream's endpoint leads back to it",
                label: "loop",
                to: exchange
            )
            return
        }
        do throws(RouteError) {
            let target = try RequestTarget(exchange.request.uri)
            try answer(exchange, Route(target), target)
        } catch {
            ErrorResponder.respond(error, to: exchange)
        }
    }

    private static func answer(_ exchange: Exchange, _ route: Route, _ target: RequestTarget) {
        exchange.record.kind = route.endpoint.kind
        if route.endpoint == .ping {
            answerPing(exchange)
            return
        }
        let repository: Repository
        do throws(MirrorError) {
            repository = try exchange.server.registry.resolve(
                path: route.path,
                prefix: route.prefix,
                namespace: route.namespace
            )
        } catch {
            ErrorResponder.respond(error, to: exchange)
            return
        }
        exchange.namespace = route.namespace
        exchange.record.repository = repository
        switch route.endpoint {
        case .ping: break
        case .manifest(let reference): ManifestResponder.answer(exchange, reference, in: repository)
        case .blob(let digest): BlobResponder.answer(exchange, digest, in: repository)
        case .tags(let page): TagsResponder.answer(exchange, route, target, page, in: repository)
        case .referrers(let digest, let artifactType):
            ReferrersResponder.answer(exchange, digest, artifactType, in: repository)
        }
    }

    /// Says that this is a registry, and never asks who is calling: Docker would answer that with the user's Docker Hub
    /// password (PROTOCOL A1.3).
    private static func answerPing(_ exchange: Exchange) {
        let head = ResponseHead(.ok, contentType: MediaType.json, contentLength: 2)
        exchange.respond(head, exchange.allocator.buffer(string: "{}"))
    }

    private static func isLoop(_ exchange: Exchange) -> Bool {
        guard exchange.request.headers.contains(name: "via") else { return false }
        let mark = "tidepool-\(exchange.server.options.instanceID)"
        // Each element is a protocol version, a name, and perhaps a comment (RFC 9110, 7.6.3).
        return exchange.request.headers[canonicalForm: "via"]
            .contains { element in
                element.split(separator: " ").contains { $0 == mark }
            }
    }
}

extension Route.Endpoint {
    fileprivate var kind: AccessRecord.Kind {
        switch self {
        case .ping: .ping
        case .manifest: .manifest
        case .blob: .blob
        case .tags: .tags
        case .referrers: .referrers
        }
    }
}
