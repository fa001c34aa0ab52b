import Locking
import MirrorCore
import OCI
import Ocync
import Prewarm

/// A configuration that is planned and carried out against a ``TestMirror``.
struct Bench {
    let mirror = TestMirror()
    var options = PrewarmOptions()
    let events = Locked<[PrewarmEvent]>([])
    /// The moments of sleep, none of which takes any time.
    let sleeps = Locked<[Duration]>([])

    private var time: Timekeeper {
        var time = Timekeeper.system()
        time.wall = { WallTime(milliseconds: 1_700_000_000_000) }
        time.sleep = { [sleeps] duration in sleeps.withLock { $0.append(duration) } }
        return time
    }

    /// Loads mappings of Docker Hub; artifacts are off unless they say otherwise.
    func configuration(_ mappings: String, artifacts: Bool = false) throws -> OcyncConfiguration {
        let text = """
            registries: { hub: { url: docker.io }, other: { url: ghcr.io }, unknown: { url: unknown.example } }
            defaults: { source: hub, targets: hub, artifacts: { enabled: \(artifacts) } }
            mappings:
            \(mappings.split(separator: "\n").map { "  - \($0)" }.joined(separator: "\n"))
            """
        return try OcyncConfiguration.load(text: text, file: "ocync.yaml", environment: [:]).configuration
    }

    func plan(_ mappings: String, artifacts: Bool = false) async throws -> PrewarmPlan {
        let configuration = try configuration(mappings, artifacts: artifacts)
        return await Planner(configuration, options, mirror: mirror)
            .plan { [events] event in
                events.withLock { $0.append(event) }
            }
    }

    func run(_ plan: PrewarmPlan) async -> PrewarmReport {
        await PrewarmRun(plan, options, mirror: mirror, time: time)
            .carryOut { [events] event in
                events.withLock { $0.append(event) }
            }
    }

    func run(_ mappings: String, artifacts: Bool = false) async throws -> PrewarmReport {
        await run(try await plan(mappings, artifacts: artifacts))
    }
}
