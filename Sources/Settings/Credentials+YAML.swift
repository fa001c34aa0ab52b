import OCI

extension Credentials {
    private enum Method: String, CaseIterable {
        case basic
        case dockerConfig = "docker_config"
        case token
        case anonymous
    }

    /// Reads `auth`, `credentials` and `token`, and notes what does not go together.
    init(_ section: Section) {
        var method: Method?
        section.read("auth", .choice, into: &method)
        let problemsBefore = section.findings.problems.count
        let basic = Self.basic(section)
        let token = Self.token(section)
        if method == nil, basic != nil, token != nil {
            section.note("token", "is given beside credentials; say by auth: basic or auth: token which one counts")
        }
        switch method {
        case nil: self = basic ?? token ?? .automatic
        case .basic:
            if basic == nil, section.findings.problems.count == problemsBefore {
                section.note("auth", "basic needs credentials with a username and a password")
            }
            self = basic ?? .automatic
        case .token:
            if token == nil, section.findings.problems.count == problemsBefore {
                section.note("auth", "token needs a token")
            }
            self = token ?? .automatic
        case .dockerConfig: self = .dockerConfig
        case .anonymous: self = .anonymous
        }
        if let method, method != .basic, basic != nil {
            section.warn("credentials", "are not used, as auth is \(method.rawValue)")
        }
        if let method, method != .token, token != nil {
            section.warn("token", "is not used, as auth is \(method.rawValue)")
        }
    }

    /// The pair, or `nil` when both are absent or empty; one without the other is a problem.
    private static func basic(_ section: Section) -> Credentials? {
        var username = ""
        var password = Secret("")
        section.readSection("credentials") { pair in
            pair.read("username", .text, into: &username)
            pair.read("password", .secret, into: &password)
            switch (username.isEmpty, password.isEmpty) {
            case (true, false): pair.note("username", "is missing or empty, but there is a password")
            case (false, true): pair.note("password", "is missing or empty, but there is a username")
            default: break
            }
        }
        return username.isEmpty || password.isEmpty ? nil : .basic(username: username, password: password)
    }

    private static func token(_ section: Section) -> Credentials? {
        var token = Secret("")
        section.read("token", .secret, into: &token)
        return token.isEmpty ? nil : .token(token)
    }
}
