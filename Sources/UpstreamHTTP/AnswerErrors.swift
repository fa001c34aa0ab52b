import Curl
import FoundationEssentials
import MirrorCore
import OCI

extension Answer {
    /// What an answer that is not a success means.
    ///
    /// By now authorisation has been tried: a 401 is the registry's last word.
    func error(isHead: Bool = false) -> UpstreamError {
        switch status {
        case 400 where hasCode(of: Self.unknownCodes): .notFound
        case 401: .denied
        case 403, 429: rateLimit?.error ?? .denied
        case 404, 410: .notFound
        case 405, 501: isHead ? .headUnsupported : .unavailable(.status(status))
        case 416: .rangeRefused
        case 300..<400: .unusable("an unexpected redirect")
        default: .unavailable(.status(status))
        }
    }

    /// The limit that the answer is, if it is one.
    var rateLimit: RateLimit? {
        // A 403 may be GitHub's secondary limit.
        guard status == 429 || status == 403 && bodyText.contains("rate limit") else { return nil }
        var limit = RateLimitAnswer.limit(head, body: body, now: Self.secondsSince1970)
        if status == 403 { limit.scope = .abuse }
        return limit
    }

    /// Some registries answer 400 for names that they could not have: Google's for one-component ones.
    private static let unknownCodes: Set<String> = ["NAME_INVALID", "NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"]

    private func hasCode(of codes: Set<String>) -> Bool {
        struct Body: Decodable {
            struct Entry: Decodable {
                var code: String
            }
            var errors: [Entry]
        }
        let errors = (try? JSONDecoder().decode(Body.self, from: Data(body)))?.errors ?? []
        return errors.contains { codes.contains($0.code.uppercased()) }
    }

    private var bodyText: String { String(decoding: body, as: UTF8.self).lowercased() }

    static var secondsSince1970: Int { Int(Date().timeIntervalSince1970) }
}
