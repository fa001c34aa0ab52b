import FoundationEssentials
import MirrorCore
import NIOCore
import NIOHTTP1
import OCI

/// Answers what is not the registry API: probes, metrics, the page for people and the JSON behind it.
enum AdminResponder {
    /// Answers, or returns `false` when the path is none of these.
    static func answer(_ exchange: Exchange) -> Bool {
        let path = exchange.request.uri.prefix { $0 != "?" }
        switch path {
        case "/healthz": respond("ok\n", to: exchange)
        case "/readyz": respondReadiness(to: exchange)
        case "/metrics":
            respond(exchange.server.metrics.text(), "text/plain; version=0.0.4; charset=utf-8", to: exchange)
        case "/-/api/quota": respondQuota(to: exchange)
        case "/": respondPage(to: exchange)
        case _ where path.hasPrefix(CacheCall.prefix): CacheResponder.answer(exchange)
        case _ where path.hasPrefix(WarmCall.prefix): WarmResponder.answer(exchange)
        case _ where path.hasPrefix("/-/"):
            exchange.record.kind = .admin
            ErrorResponder.respond(RouteError.notFound, to: exchange)
        default: return false
        }
        return true
    }

    /// Never depends on an upstream: an outage is what the cache is for.
    private static func respondReadiness(to exchange: Exchange) {
        let phase = exchange.server.lifecycle.phase
        respond("\(phase.rawValue)\n", status: phase == .ready ? .ok : .serviceUnavailable, to: exchange)
    }

    /// What is not known is asked for operators only: nobody else makes the mirror send anything from here.
    private static func respondQuota(to exchange: Exchange) {
        exchange.record.kind = .admin
        let administration = exchange.server.administration
        let mayAsk = exchange.isControl
        exchange.perform { () async throws(MirrorError) in
            QuotaReport(await administration.quota(mayAsk: mayAsk))
        } then: { report in
            respond(String(decoding: report.json, as: UTF8.self), MediaType.json, to: exchange)
        }
    }

    private static func respondPage(to exchange: Exchange) {
        exchange.record.kind = .admin
        let server = exchange.server
        exchange.perform { () async throws(MirrorError) in
            QuotaReport(await server.administration.quota(mayAsk: false))
        } then: { report in
            let page = StatusPage(
                version: server.options.version,
                phase: server.lifecycle.phase.rawValue,
                connections: server.connections.count,
                quota: report
            )
            respond(page.html(at: .now), "text/html; charset=utf-8", to: exchange)
        }
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
}
