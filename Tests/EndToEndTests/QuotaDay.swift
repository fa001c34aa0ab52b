import MirrorTesting
import NIOHTTP1
import OCI

/// A scripted day: six machines pull forty tags again and again, some of which move, while the mirror is restarted.
struct QuotaDay {
    static let nodeCount = 6
    static let tagCount = 40
    static let roundCount = 3
    static let tagTTL = Duration.milliseconds(500)

    /// What was pulled, and how often that failed.
    struct Result {
        var pulls = 0
        var failures: [String] = []
        var manifests: Set<Digest> = []
    }

    private struct Tagged {
        let repository: String
        let tag: String
    }

    private let hub: ScriptedHub
    private let tags: [Tagged]
    private var catalogue: [Digest: TestImage] = [:]
    private var nodes: [PullingNode] = []
    private var result = Result()

    /// Publishes the first images: some tags share theirs, and two repositories have the same ones.
    init(on hub: ScriptedHub) {
        self.hub = hub
        tags = (0..<Self.tagCount).map { Tagged(repository: "library/app\($0 % 10)", tag: "1.\($0 / 10)") }
        for number in tags.indices { publish(number, seed: UInt64(1000 + number % 16 + number / 20 * 20)) }
    }

    private mutating func publish(_ number: Int, seed: UInt64) {
        let image =
            seed.isMultiple(of: 2)
            ? TestImage.multiPlatform(seed: seed, format: .docker, layers: [1000, 3000])
            : TestImage.single(seed: seed, layers: [1000, 3000])
        hub.publish(image, as: tags[number].repository, tags: [tags[number].tag])
        catalogue[image.digest] = image
    }

    /// Plays it: between rounds tags move, and the mirror ends in good order or in a crash.
    mutating func play(on mirror: inout some RestartableMirror) async throws -> Result {
        nodes = (0..<Self.nodeCount)
            .map { PullingNode(habit: $0.isMultiple(of: 2) ? .headFirst : .getByTag, catalogue: [:]) }
        for round in 0..<Self.roundCount {
            await pullEverything(round, from: mirror.client)
            try await mirror.settle(blobs: heldBlobs, manifests: result.manifests.count)
            guard round < Self.roundCount - 1 else { break }
            if round.isMultiple(of: 2) { try await mirror.restart() } else { try await mirror.crash() }
            for number in tags.indices where number % 5 == round % 5 {
                publish(number, seed: UInt64(10_000 + 100 * round + number))
            }
            // Time has to pass: it is what tag_ttl is about.
            try await Task.sleep(for: Self.tagTTL + .milliseconds(100))
        }
        return result
    }

    /// How many blobs the mirror has given out, each counted once.
    private var heldBlobs: Int {
        Set(nodes.flatMap(\.held)).subtracting(result.manifests).count
    }

    /// All machines at once, each in an order of its own.
    private mutating func pullEverything(_ round: Int, from client: TestClient) async {
        let (tags, catalogue) = (tags, catalogue)
        let outcomes = await withTaskGroup(of: (Int, PullingNode, [String]).self) { group in
            for (number, node) in nodes.enumerated() {
                group.addTask {
                    var node = node.knowing(catalogue)
                    var failures: [String] = []
                    var random = SeededRandom(seed: UInt64(100 * round + number))
                    for tagged in tags.shuffled(using: &random) {
                        do { try await node.pull(tagged.tag, of: tagged.repository, from: client) } catch {
                            failures.append("\(error)")
                        }
                    }
                    return (number, node, failures)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for (number, node, failures) in outcomes {
            nodes[number] = node
            result.failures += failures
            result.manifests.formUnion(node.manifests)
        }
        result.pulls += tags.count * nodes.count
    }
}

extension RequestLog {
    /// For every tag, when it was checked: HEADs of manifests by tag, in order.
    var checks: [String: [ContinuousClock.Instant]] {
        let heads = matching(RequestMatcher(.HEAD, role: .registry, kind: .manifest)).filter { !$0.isChallenged }
        return Dictionary(grouping: heads.filter { $0.request.target.reference?.contains(":") == false }) {
            $0.request.path
        }
        .mapValues { $0.map(\.receivedAt).sorted() }
    }

    /// The shortest time between two checks of the same tag.
    var shortestCheckInterval: Duration? {
        checks.values.flatMap { times in zip(times, times.dropFirst()).map { $0.duration(to: $1) } }.min()
    }
}
