import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("A day of six machines and forty tags")
    struct QuotaDayTests {
        /// What a mirror made its Hub do.
        private struct Bill {
            let day: QuotaDay.Result
            let log: RequestLog

            func count(_ matcher: RequestMatcher) -> Int { log.count(matcher) }
        }

        @Test("every manifest is read once, and a tag is checked at most once in tag_ttl, whatever is restarted")
        func day() async throws {
            let ours = try await playOnTidepool()
            let reads = ours.log.matching(RequestMatcher(.GET, role: .registry, kind: .manifest))
            #expect(ours.day.failures.isEmpty, "\(ours.day.failures.prefix(5))")
            #expect(ours.day.pulls == 720)
            #expect(ours.count(RequestMatcher(.GET, role: .registry, kind: .manifest)) == ours.day.manifests.count)
            #expect(Set(reads.compactMap(\.request.target.reference)) == Set(ours.day.manifests.map { "\($0)" }))
            // The mirror's clock starts when the answer is there, so no two requests can be closer; it counts
            // milliseconds.
            let interval = try #require(ours.log.shortestCheckInterval)
            #expect(interval >= QuotaDay.tagTTL - .milliseconds(2), "a tag was checked again after \(interval)")
            #expect(ours.log.complaints == [])

            guard ClientTool.dockerRegistry.isInstalled, ClientTool.curl.isInstalled else {
                print("docker-registry or curl is not installed: nothing to compare with\n" + table(ours, nil))
                return
            }
            let theirs = try await playOnDockerRegistry()
            print(table(ours, theirs))
        }

        private func playOnTidepool() async throws -> Bill {
            let hub = try await ScriptedHub.start(Self.options)
            var options = TidepoolProcess.Options()
            options.dockerHub = ["tag_ttl: 500ms", "timeouts: { revalidate_within: 20s }"]
            var day = QuotaDay(on: hub)
            var mirror = try await RestartingMirror(upstream: hub.endpoint, options)
            let result = try await day.play(on: &mirror)
            try await mirror.end()
            await hub.stop()
            return Bill(day: result, log: hub.log)
        }

        private func playOnDockerRegistry() async throws -> Bill {
            let hub = try await ScriptedHub.start(Self.options)
            var day = QuotaDay(on: hub)
            var mirror = try await RestartingRegistry(upstream: hub.endpoint)
            let result = try await day.play(on: &mirror)
            await mirror.process.stop()
            await hub.stop()
            return Bill(day: result, log: hub.log)
        }

        /// More than either of them spends: refusals are for other tests.
        private static var options: HubOptions {
            var options = HubOptions()
            options.quota = HubQuota(limit: 100_000)
            return options
        }

        private func table(_ ours: Bill, _ theirs: Bill?) -> String {
            let rows: [(String, (Bill) -> Int)] = [
                ("pulls", { $0.day.pulls }),
                ("pulls that failed", { $0.day.failures.count }),
                ("distinct manifests pulled", { $0.day.manifests.count }),
                (
                    "manifest GETs upstream (quota)",
                    { $0.count(RequestMatcher(.GET, role: .registry, kind: .manifest)) }
                ),
                ("manifest HEADs upstream", { $0.count(RequestMatcher(.HEAD, role: .registry, kind: .manifest)) }),
                ("blob transfers upstream", { $0.count(RequestMatcher(.GET, role: .cdn)) }),
                ("all requests upstream", { $0.log.entries.count }),
            ]
            let header = Self.line("", "tidepool", theirs.map { _ in "docker-registry" } ?? "")
            return rows.reduce(header) { text, row in
                text + Self.line(row.0, "\(row.1(ours))", theirs.map { "\(row.1($0))" } ?? "")
            }
        }

        private static func line(_ name: String, _ cells: String...) -> String {
            func pad(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - text.count))
            }
            return name + pad(name, 34) + cells.map { pad($0, 17) + $0 }.joined() + "\n"
        }
    }
}
