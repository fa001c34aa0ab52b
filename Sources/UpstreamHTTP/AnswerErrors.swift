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
        // GitHub's secondary limit.
        case 403 where bodyText.contains("rate limit"): .abuseLimited(retryAfter: retryAfter)
        case 403: .denied
        case 404, 410: .notFound
        case 405, 501: isHead ? .headUnsupported : .unavailable(.status(status))
        case 416: .unusable("the range was refused")
        case 429: RateLimitAnswer.error(head, body: body, now: Self.secondsSince1970)
        case 300..<400: .unusable("an unexpected redirect")
        default: .unavailable(.status(status))
        }
    }

    /// The wait that the answer asks for.
    var retryAfter: Duration? {
        switch RateLimitAnswer.error(head, body: body, now: Self.secondsSince1970) {
        case .pullLimited(let retryAfter), .abuseLimited(let retryAfter): retryAfter
        default: nil
        }
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

    private static var secondsSince1970: Int { Int(Date().timeIntervalSince1970) }
}
