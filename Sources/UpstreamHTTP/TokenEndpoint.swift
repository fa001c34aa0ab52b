import Curl
import FoundationEssentials
import Locking
import MirrorCore
import OCI

/// Asks token servers for tokens: distribution's token protocol, and its OAuth2 form.
struct TokenEndpoint: Sendable {
    static let bodyLimit = 1 << 20
    static let tokenLimit = 64 << 10
    /// The specification's life of a token whose answer does not tell it.
    static let defaultLife = 60

    let requester: Requester
    let now: @Sendable () -> ContinuousClock.Instant

    /// Fetches a token.
    ///
    /// Throws `.credentialsRefused` when it is our credentials that are wrong, and `.denied` when the repository is not
    /// for us or not there: token servers do not say which.
    func token(for key: TokenKey) async throws(UpstreamError) -> Token {
        let answer = try await requester.send(Self.request(for: key))
        guard answer.status == 200 else { throw Self.refusal(answer, of: key.credentials) }
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(answer.body)) else {
            throw .unusable("a token answer that is not JSON")
        }
        guard let token = body.token ?? body.accessToken, Self.isSendable(token) else {
            throw .unusable("a token answer without a usable token")
        }
        let life = body.expiresIn.map { max(1, min($0, 86400 * 365)) } ?? Self.defaultLife
        return Token(Secret(token), life: .seconds(life), receivedAt: now())
    }

    private static func request(for key: TokenKey) -> Requester.Request {
        var request = Requester.Request(kind: .token, location: key.realm, use: .keep(limit: bodyLimit))
        request.subject = key.scope.text
        var parameters: [(name: String, value: String)] = []
        if let service = key.service { parameters.append(("service", service)) }
        parameters.append(("scope", key.scope.text))
        switch key.credentials {
        case .anonymous, .registryToken: break
        case .password(let username, let password):
            parameters.append(("account", username))
            request.fields.append(.basic(username: username, password: password))
        case .identityToken(let refreshToken):
            parameters += [
                ("grant_type", "refresh_token"), ("client_id", "tidepool"), ("refresh_token", refreshToken.reveal()),
            ]
            request.method = .post(form: encoded(parameters))
            return request
        }
        let separator = key.realm.target.contains("?") ? "&" : "?"
        request.location.target += separator + encoded(parameters)
        return request
    }

    private static func encoded(_ parameters: [(name: String, value: String)]) -> String {
        parameters.map { "\($0.name)=\($0.value.queryEncoded)" }.joined(separator: "&")
    }

    private static func refusal(_ answer: Answer, of credentials: Credentials) -> UpstreamError {
        switch (answer.status, credentials) {
        case (401, .password), (401, .identityToken), (400, .identityToken): .credentialsRefused
        case (400...404, _): .denied
        case (429, _): .abuseLimited(retryAfter: answer.rateLimit?.wait)
        default: .unavailable(.status(answer.status))
        }
    }

    /// Whether it can stand in a header field.
    private static func isSendable(_ token: String) -> Bool {
        (1...tokenLimit).contains(token.utf8.count) && token.utf8.allSatisfy { 0x21...0x7e ~= $0 }
    }

    private struct Body: Decodable {
        var token: String?
        var accessToken: String?
        var expiresIn: Int?

        enum CodingKeys: String, CodingKey {
            case token
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }
}

extension HeaderField {
    static func basic(username: String, password: Secret) -> HeaderField {
        HeaderField("Authorization", "Basic " + Data("\(username):\(password.reveal())".utf8).base64EncodedString())
    }

    static func bearer(_ token: Secret) -> HeaderField {
        HeaderField("Authorization", "Bearer \(token.reveal())")
    }
}
