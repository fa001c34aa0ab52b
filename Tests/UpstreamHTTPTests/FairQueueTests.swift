import Testing

@testable import MirrorCore
@testable import UpstreamHTTP

@Suite("Fair queue")
struct FairQueueTests {
    /// `a1` is client `a`'s first; `b1r` is background work of client `b`.
    private func queue(_ names: String) -> FairQueue<String> {
        var queue = FairQueue<String>()
        for (number, name) in names.split(separator: " ").enumerated() {
            queue.append(.init(id: UInt64(number), errand: errand(name), element: String(name)))
        }
        return queue
    }

    private func errand(_ name: Substring) -> Errand {
        let purpose: Purpose = name.hasSuffix("r") ? .refresh : name.hasSuffix("w") ? .prewarm : .pull
        return Errand(for: Caller(address: String(name.prefix(1)), purpose: purpose))
    }

    private func drained(_ queue: FairQueue<String>) -> String {
        var queue = queue
        var names: [String] = []
        while let entry = queue.next() { names.append(entry.element) }
        return names.joined(separator: " ")
    }

    @Test(
        "clients take turns, each client's own come in order, and pulls go before prewarming before refreshing",
        arguments: [
            ("", ""), ("a1", "a1"), ("a1 a2 a3", "a1 a2 a3"), ("a1 b1 c1", "a1 b1 c1"),
            ("a1 a2 a3 a4 b1", "a1 b1 a2 a3 a4"), ("a1 a2 a3 b1 b2 c1", "a1 b1 c1 a2 b2 a3"),
            ("a1r a2 b1", "a2 b1 a1r"), ("a1r b1w c1", "c1 b1w a1r"), ("a1w a2w b1w", "a1w b1w a2w"),
            ("a1r a2r a3", "a3 a1r a2r"),
        ]
    )
    func order(came: String, go: String) {
        #expect(drained(queue(came)) == go)
    }

    @Test("work that somebody who pulls joined goes as a pull")
    func promotion() throws {
        var queue = FairQueue<String>()
        let background = errand("b1r")
        queue.append(.init(id: 1, errand: errand("a1w"), element: "a1w"))
        queue.append(.init(id: 2, errand: background, element: "b1r"))
        background.join(Caller(address: "c"))
        #expect(drained(queue) == "b1r a1w")
    }

    @Test(
        "in a full queue, less urgent work gives its place, else the client that has the most, by two at least",
        arguments: [
            ("a1 a2 a3", "b1", "a3"), ("a1 a2 b1", "c1", "a2"), ("a1", "b1", nil), ("a1 b1", "c1", nil),
            ("a1 a2 a3", "a4", nil), ("a1 a2 a3 b1", "b2", "a3"), ("a1 a2 b1", "b2", nil), ("", "a1", nil),
            ("a1 b1w b2w c1r c2r", "d1", "c2r"), ("a1 b1w b2w", "d1", "b2w"), ("a1 b1w", "c1r", nil),
            ("a1 a2 a3", "b1w", nil), ("a1w a2w a3w", "b1w", "a3w"), ("a1r a2r", "a3", "a2r"),
        ] as [(String, String, String?)]
    )
    func displacement(came: String, newcomer: String, goes: String?) {
        var queue = queue(came)
        let count = queue.count
        #expect(queue.displace(for: errand(Substring(newcomer)))?.element == goes)
        #expect(queue.count == count - (goes == nil ? 0 : 1))
    }

    @Test("what is taken out leaves the others in their order")
    func removal() {
        var queue = queue("a1 a2 b1 c1")
        #expect(queue.remove(1)?.element == "a2")
        #expect(queue.remove(1) == nil)
        #expect(queue.removeAll { $0.errand.client == "b" }.map(\.element) == ["b1"])
        #expect(queue.count == 2)
        #expect(drained(queue) == "a1 c1")
    }
}
