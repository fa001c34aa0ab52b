import MirrorTesting
import NIOCore
import Testing

extension EndToEnd {
    @Suite("Hostile clients")
    struct HostileTests {
        @Test("some three hundred bad requests get 4xx or a closed connection, and the Hub hears of none")
        func badRequests() async throws {
            try await Stage.run(Self.impatient) { stage in
                #expect(HostileRequests.all.count >= 300)
                let answers = try await playAll(HostileRequests.all, stage)
                for (attack, status) in answers where !attack.mayBeAnswered(status) {
                    Issue.record("\(attack.label): \(status ?? 0) to \(attack.bytes.prefix(200).debugDescription)")
                }
                #expect(try await stage.client.get("/v2/").status == 200)
                #expect(stage.hub.log.entries.isEmpty, "\(stage.hub.log)")
            }
        }

        @Test("clients that send slowly or not at all are cut, and do not keep others out")
        func slowSenders() async throws {
            try await Stage.run(Self.impatient) { stage in
                var connections: [RawConnection] = []
                for number in 0..<100 {
                    let connection = try await RawConnection.open(port: stage.mirror.port)
                    if number.isMultiple(of: 2) { await connection.send("GET /v2/ HTTP/1.1\r\nHo") }
                    connections.append(connection)
                }
                #expect(try await stage.client.get("/v2/").status == 200)
                // Ends only when the mirror closes them; the suite's time limit is the failure.
                for connection in connections { await connection.waitForClose() }
            }
        }

        @Test("a client that does not read its blob is cut, and does not hold up the transfer")
        func slowReaders() async throws {
            let blob = Content(seed: 101, count: 24 << 20)
            try await Stage.run { _, options in
                options.topLevel.append("limits: { send_stall: 1s }")
            } _: { stage in
                stage.hub.publish(blob, as: "library/big")
                let path = "/v2/library/big/blobs/\(blob.digest)"
                let lazy = try await stage.client.start("GET", path)
                try await lazy.connection.setReading(false)
                #expect(try await stage.client.get(path).isExactly(blob))
                #expect(stage.hub.transfers(of: blob) == 1)
                try await Task.sleep(for: .seconds(2))
                try await lazy.connection.setReading(true)
                let cut = try await lazy.response()
                #expect(!cut.isComplete, "the stalled client was not cut")
            }
        }

        @Test("a thousand idle connections leave the mirror answering")
        func idleConnections() async throws {
            try await Stage.run { stage in
                ResourceLimits.raiseDescriptors()
                var connections: [RawConnection] = []
                for _ in 0..<1000 { connections.append(try await RawConnection.open(port: stage.mirror.port)) }
                #expect(try await stage.client.get("/v2/").status == 200)
                for connection in connections { await connection.close() }
            }
        }

        @Test("pipelined requests are answered in order")
        func pipelining() async throws {
            try await Stage.run { stage in
                let connection = try await RawConnection.open(port: stage.mirror.port)
                let ping = "GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n"
                let bad = "GET /v2/UPPER/manifests/x HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
                await connection.send(ping + ping + bad)
                await connection.waitForClose()
                let answers = String(buffer: connection.received).split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
                #expect(answers == ["200", "200", "400"] || answers == ["200", "200", "404"])
            }
        }

        private static func impatient(_: ScriptedHub, _ options: inout TidepoolProcess.Options) {
            options.topLevel.append("limits: { head_timeout: 1s, idle_timeout: 2s }")
        }

        /// Plays them a few at a time; some end only by the mirror's own time limit.
        private func playAll(
            _ attacks: [HostileRequests.Attack],
            _ stage: Stage
        ) async throws -> [(HostileRequests.Attack, Int?)] {
            try await withThrowingTaskGroup(of: (HostileRequests.Attack, Int?).self) { group in
                var rest = attacks[...]
                for attack in rest.prefix(16) { group.addTask { (attack, try await play(attack, stage)) } }
                rest = rest.dropFirst(16)
                var answers: [(HostileRequests.Attack, Int?)] = []
                while let answer = try await group.next() {
                    answers.append(answer)
                    if let attack = rest.popFirst() { group.addTask { (attack, try await play(attack, stage)) } }
                }
                return answers
            }
        }

        /// Sends it and waits for the connection to end; the status is `nil` when that came without an answer.
        private func play(_ attack: HostileRequests.Attack, _ stage: Stage) async throws -> Int? {
            let connection = try await RawConnection.open(port: stage.mirror.port)
            await connection.send(attack.bytes)
            await connection.waitForClose()
            let line = String(buffer: connection.received).split(separator: "\r\n").first ?? ""
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        }
    }
}
