import MirrorCore
import NIOHTTP1
import OCI

/// What a request's target has been found to mean.
struct KnownRoute {
    /// What many clients ask for again and again.
    enum Content {
        case manifest(Reference)
        case blob(KnownBlob)

        init?(_ endpoint: Route.Endpoint) {
            switch endpoint {
            case .manifest(let reference): self = .manifest(reference)
            case .blob(let digest): self = .blob(KnownBlob(digest))
            case .ping, .tags, .referrers: return nil
            }
        }
    }

    let content: Content
    let namespace: String?
    let repository: Repository
}

/// The targets that an event loop has lately taken apart: reading one again takes longer than finding its content.
///
/// A target means the same for as long as the process runs. Bounded; confined to its event loop.
final class KnownRoutes {
    private var routes: [String: KnownRoute] = [:]

    /// Some two megabytes, with targets of usual length.
    private static let mostKept = 2048

    /// What a plain read of that target is about, if it is known.
    func route(of request: HTTPRequestHead) -> KnownRoute? {
        request.method == .GET || request.method == .HEAD ? routes[request.uri] : nil
    }

    func keep(_ route: KnownRoute, for request: HTTPRequestHead) {
        guard request.uri.utf8.count <= 256 else { return }
        if routes.count >= Self.mostKept { routes.removeAll(keepingCapacity: true) }
        routes[request.uri] = route
    }
}
