import Locking
import MirrorCore
import OCI
import Testing

@testable import UpstreamHTTP

@Suite("Token cache", .timeLimit(.minutes(1)))
struct TokenCacheTests {
    /// A cache with a clock to set and a token server to script.
    private final class Bench: Sendable {
        let clock = Locked(ContinuousClock.now)
        let fetched = Locked(0)
        let failure = Locked<UpstreamError?>(nil)
        let life: Duration

        init(life: Duration) { self.life = life }

        func cache() -> TokenCache {
            let fetch: TokenCache.Fetch = { (_) async throws(UpstreamError) in
                let number = self.fetched.withLock { fetched in
                    fetched += 1
                    return fetched
                }
                if let failure = self.failure.withLock({ $0 }) { throw failure }
                return Token(Secret("T\(number)"), life: self.life, receivedAt: self.clock.withLock { $0 })
            }
            return TokenCache(now: { self.clock.withLock { $0 } }, fetch: fetch)
        }

        func pass(_ duration: Duration) { clock.withLock { $0 += duration } }
    }

    private func key(_ credentials: Credentials = .anonymous) throws -> TokenKey {
        let realm = try #require(Location("https://auth.example/token"))
        return TokenKey(realm: realm, service: nil, scope: .pull(repository), credentials: credentials)
    }

    @Test(
        "renews half a minute early, or after three quarters of a short life",
        arguments: [(300, 270), (60, 45), (120, 90), (4, 3), (43200, 43170)]
    )
    func renewal(life: Int, renewed: Int) async throws {
        let bench = Bench(life: .seconds(life))
        let cache = bench.cache()
        #expect(try await cache.token(for: key()).isNew)
        bench.pass(.seconds(renewed) - .milliseconds(1))
        #expect(try await !cache.token(for: key()).isNew)
        bench.pass(.milliseconds(1))
        #expect(try await cache.token(for: key()).token.value == Secret("T2"))
    }

    @Test("an old token serves while its server is down, until it expires")
    func outage() async throws {
        let bench = Bench(life: .seconds(300))
        let cache = bench.cache()
        _ = try await cache.token(for: key())
        bench.failure.withLock { $0 = .unavailable(.timeout) }
        bench.pass(.seconds(280))
        #expect(try await cache.token(for: key()).token.value == Secret("T1"))
        bench.pass(.seconds(20))
        await #expect(throws: UpstreamError.unavailable(.timeout)) { try await cache.token(for: key()) }
    }

    @Test("refused credentials rest for five minutes; others, and nobody's, are tried")
    func refused() async throws {
        let bench = Bench(life: .seconds(300))
        let cache = bench.cache()
        bench.failure.withLock { $0 = .credentialsRefused }
        let refused = try key(.password(username: "u", Secret("p")))
        for _ in 0..<3 {
            await #expect(throws: UpstreamError.credentialsRefused) { try await cache.token(for: refused) }
        }
        #expect(bench.fetched.withLock { $0 } == 1)
        bench.failure.withLock { $0 = nil }
        _ = try await cache.token(for: key())
        _ = try await cache.token(for: key(.password(username: "u", Secret("q"))))
        await #expect(throws: UpstreamError.credentialsRefused) { try await cache.token(for: refused) }
        bench.pass(TokenCache.refusalPause)
        _ = try await cache.token(for: refused)
    }

    @Test("a denial is not remembered: it is of a repository, and the core's to keep")
    func denied() async throws {
        let bench = Bench(life: .seconds(300))
        let cache = bench.cache()
        bench.failure.withLock { $0 = .denied }
        for _ in 0..<2 { await #expect(throws: UpstreamError.denied) { try await cache.token(for: key()) } }
        #expect(bench.fetched.withLock { $0 } == 2)
    }

    @Test("a discarded token is gone, and a newer one is not taken for it")
    func discard() async throws {
        let bench = Bench(life: .seconds(300))
        let cache = bench.cache()
        let first = try await cache.token(for: key()).token
        cache.discard(first, for: try key())
        let second = try await cache.token(for: key()).token
        cache.discard(first, for: try key())
        #expect(try await cache.token(for: key()).token == second)
    }
}
