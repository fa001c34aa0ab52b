import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Finds who answers a request.
enum Router {
    static func answer(_ exchange: Exchange) {
        if !exchange.isControl, let known = exchange.loop.routes.route(of: exchange.request) {
            guard enterRegistry(exchange) else { return }
            answer(exchange, known.content, known.namespace, in: known.repository)
            return
        }
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
        guard enterRegistry(exchange) else { return }
        do throws(RouteError) {
            let target = try RequestTarget(exchange.request.uri)
            try answer(exchange, Route(target), target)
        } catch {
            ErrorResponder.respond(error, to: exchange)
        }
    }

    /// Makes it a request of the registry API, unless it has come round to us.
    private static func enterRegistry(_ exchange: Exchange) -> Bool {
        exchange.enterRegistryAPI()
        guard !isLoop(exchange) else {
            ErrorResponder.respond(
                status: .loopDetected,
                code: .unavailable,
                message: "the request has been through this mirror already: an upstream's endpoint leads back to it",
                label: "loop",
                to: exchange
            )
            return false
        }
        return true
    }

    private static func answer(
        _ exchange: Exchange,
        _ content: KnownRoute.Content,
        _ namespace: String?,
        in repository: Repository
    ) {
        exchange.namespace = namespace
        exchange.record.repository = repository
        switch content {
        case .manifest(let reference):
            exchange.record.kind = .manifest
            ManifestResponder.answer(exchange, reference, in: repository)
        case .blob(let blob):
            exchange.record.kind = .blob
            BlobResponder.answer(exchange, blob, in: repository)
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
        if let content = KnownRoute.Content(route.endpoint) {
            let known = KnownRoute(content: content, namespace: route.namespace, repository: repository)
            exchange.loop.routes.keep(known, for: exchange.request)
            answer(exchange, content, route.namespace, in: repository)
            return
        }
        exchange.namespace = route.namespace
        exchange.record.repository = repository
        switch route.endpoint {
        case .ping, .manifest, .blob: break
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
