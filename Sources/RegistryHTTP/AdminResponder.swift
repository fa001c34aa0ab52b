import MirrorCore
import NIOCore
import NIOHTTP1

/// Answers what is not the registry API: probes, metrics and the page for people.
enum AdminResponder {
    /// Answers, or returns `false` when the path is none of these.
    static func answer(_ exchange: Exchange) -> Bool {
        switch exchange.request.uri.prefix(while: { $0 != "?" }) {
        case "/healthz": respond("ok\n", to: exchange)
        case "/readyz": respondReadiness(to: exchange)
        case "/metrics":
            respond(exchange.server.metrics.text(), "text/plain; version=0.0.4; charset=utf-8", to: exchange)
        case "/": respond(page(exchange.server), "text/html; charset=utf-8", to: exchange)
        default: return false
        }
        return true
    }

    /// Never depends on an upstream: an outage is what the cache is for.
    private static func respondReadiness(to exchange: Exchange) {
        let phase = exchange.server.lifecycle.phase
        respond("\(phase.rawValue)\n", status: phase == .ready ? .ok : .serviceUnavailable, to: exchange)
    }

    private static func respond(
        _ text: String,
        _ contentType: String = "text/plain; charset=utf-8",
        status: HTTPResponseStatus = .ok,
        to exchange: Exchange
    ) {
        exchange.record.kind = .admin
        let body = exchange.allocator.buffer(string: text)
        var head = ResponseHead(status, contentType: contentType, contentLength: body.readableBytes)
        head.add("Cache-Control", "no-store")
        head.add("X-Content-Type-Options", "nosniff")
        exchange.respond(head, body)
    }

    private static func page(_ server: ServerContext) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>tidepool</title></head>
        <body>
        <h1>tidepool \(server.options.version)</h1>
        <p>A read-only mirror of container registries: \(server.lifecycle.phase.rawValue), \
        \(server.connections.count) connections.</p>
        <p><a href="metrics">metrics</a> <a href="readyz">readiness</a> <a href="v2/">registry API</a></p>
        </body></html>

        """
    }
}
