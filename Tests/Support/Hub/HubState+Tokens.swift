import NIOHTTP1

extension HubState {
    /// `GET /token?service=…&scope=repository:<name>:pull`, with or without `Basic` credentials.
    ///
    /// As Docker Hub does: a token is issued for any scope to anybody, and one for a repository that the account may not
    /// read opens nothing.
    mutating func tokenReply(to request: HubRequest) -> HubReply {
        guard request.target == .token, request.method == .GET else {
            return HubReply.error(.notFound, "NOT_FOUND").complaining("not a token request")
        }
        guard request.query["service"] == ["registry.docker.io"] else {
            return HubReply.error(.badRequest, "BAD_REQUEST").complaining("the service is not the challenge's")
        }
        var account: HubAccount?
        if let authorization = request.authorization {
            account = accounts.first { $0.basic == authorization }
            if account == nil { return .json(.unauthorized, #"{"details":"incorrect username or password"}"#) }
        }
        let asked = (request.query["scope"] ?? []).compactMap(Self.repository(ofScope:))
        let token = secret("tok-")
        everyToken.append(token)
        tokens[token] = HubToken(repositories: Set(asked.filter { mayRead($0, account) }), account: account)
        let document = """
            {"token":"\(token)","access_token":"\(token)","expires_in":\(options.tokenLifetime),\
            "issued_at":"2026-01-01T00:00:00.1059317Z"}
            """
        return .json(.ok, document)
    }

    private func mayRead(_ repository: String, _ account: HubAccount?) -> Bool {
        guard let repository = repositories[repository] else { return false }
        return repository.owner == nil || repository.owner == account
    }

    private static func repository(ofScope scope: String) -> String? {
        let parts = scope.split(separator: ":")
        guard parts.count == 3, parts[0] == "repository", parts[2].split(separator: ",").contains("pull") else {
            return nil
        }
        return String(parts[1])
    }

    /// Whether a registry request may go on; otherwise the challenge.
    func challenge(for request: HubRequest, repository: String?) -> HubReply? {
        switch options.authentication {
        case .open:
            if let repository, let owner = repositories[repository]?.owner {
                return request.authorization == owner.basic ? nil : .error(.forbidden, "DENIED")
            }
            return nil
        case .basic:
            if let authorization = request.authorization, accounts.contains(where: { $0.basic == authorization }) {
                return nil
            }
            return .error(.unauthorized, "UNAUTHORIZED", ["www-authenticate": #"Basic realm="test""#])
        case .bearer:
            return bearerChallenge(for: request, repository: repository)
        }
    }

    private func bearerChallenge(for request: HubRequest, repository: String?) -> HubReply? {
        var challenge = #"Bearer realm="\#(origin(.tokens))/token",service="registry.docker.io""#
        if let repository { challenge += #",scope="repository:\#(repository):pull""# }
        if let authorization = request.authorization {
            let token = tokens[String(authorization.dropFirst("Bearer ".count))]
            if let token, repository.map({ token.repositories.contains($0) }) ?? true { return nil }
            challenge += token == nil ? #",error="invalid_token""# : #",error="insufficient_scope""#
        }
        let headers: HTTPHeaders = ["www-authenticate": challenge, "docker-ratelimit-source": Self.address]
        return .error(.unauthorized, "UNAUTHORIZED", headers)
    }
}
