import OCI
import Testing

@testable import MirrorCore

@Suite("The health of content sources")
struct SourceHealthTests {
    enum Reach {
        case digest
        case repository
        case source
        case nothing
    }

    @Test(
        "what is not asked again is as narrow as the answer was",
        arguments: [
            (SourceHealth.Failure.error(.notFound), Reach.digest, 60), (.error(.unusable("x")), .digest, 60),
            (.error(.denied), .repository, 60), (.error(.credentialsRefused), .source, 60),
            (.error(.pullLimited(retryAfter: nil)), .source, 60),
            (.error(.abuseLimited(retryAfter: .seconds(5))), .source, 5),
            (.error(.abuseLimited(retryAfter: .seconds(9_999))), .source, 600),
            (.error(.unavailable(.timeout)), .source, 10),
            (.wrongBytes, .source, 600), (.error(.cancelled), .nothing, 0), (.error(.refusedBySink), .nothing, 0),
        ]
    )
    func reach(failure: SourceHealth.Failure, reach: Reach, seconds: Int) throws {
        let (source, other) = (UpstreamName("a.example"), UpstreamName("b.example"))
        let repository = Repository(upstream: .dockerHub, name: try RepositoryName("library/nginx"))
        let another = Repository(upstream: .dockerHub, name: try RepositoryName("library/redis"))
        let (digest, sibling) = (sha256([1]), sha256([2]))
        let now = Duration.seconds(1_000)
        var health = SourceHealth()
        health.note(failure, of: source, digest, in: repository, at: now)
        #expect(health.permits(source, digest, in: repository, at: now) == (reach == .nothing))
        #expect(health.permits(source, sibling, in: repository, at: now) == (reach == .nothing || reach == .digest))
        #expect(health.permits(source, digest, in: another, at: now) == (reach != .source))
        #expect(health.permits(other, digest, in: repository, at: now))
        let after = now + .seconds(seconds)
        #expect(health.permits(source, digest, in: repository, at: after))
        if reach != .nothing { #expect(!health.permits(source, digest, in: repository, at: after - .seconds(1))) }
    }

    @Test("a shorter pause does not end a longer one")
    func longest() throws {
        let source = UpstreamName("a.example")
        let repository = Repository(upstream: .dockerHub, name: try RepositoryName("library/nginx"))
        var health = SourceHealth()
        health.note(.wrongBytes, of: source, sha256([1]), in: repository, at: .zero)
        health.note(.error(.unavailable(.dns)), of: source, sha256([1]), in: repository, at: .seconds(1))
        #expect(!health.permits(source, repository, at: .seconds(599)))
    }
}
