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
                for attack in HostileRequests.all {
                    let status = try await play(attack, stage)
                    #expect(
                        status.map { (400..<500).contains($0) || Self.isHarmless(attack, $0) } ?? true,
                        "\(attack.label): \(status ?? 0) to \(attack.bytes.prefix(200).debugDescription)"
                    )
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
                let text = String(buffer: connection.received)
                let statuses = text.split(separator: "\r\n").filter { $0.hasPrefix("HTTP/1.1 ") }
                    .map { $0.split(separator: " ")[1] }
                #expect(
                    statuses.count == 3 && statuses[0] == "200" && statuses[1] == "200" && statuses[2].hasPrefix("4")
                )
            }
        }

        private static func impatient(_: ScriptedHub, _ options: inout TidepoolProcess.Options) {
            options.topLevel.append("limits: { head_timeout: 1s, idle_timeout: 2s }")
        }

        /// Answers that are neither 4xx nor a sign of trouble.
        private static func isHarmless(_ attack: HostileRequests.Attack, _ status: Int) -> Bool {
            switch status {
            case 100: attack.bytes.contains("Expect: 100-continue")
            // What is not HTTP at all may be told so.
            case 505, 501: attack.label.hasPrefix("version") || attack.label.hasPrefix("method")
            // A ping with an odd version or method, or a read of the status page.
            case 200: attack.label == "traversal" || attack.label.contains("//")
            default: false
            }
        }

        /// Sends it and waits for the connection to end.
        ///
        /// - Returns: The status; `nil` for a connection that was closed without an answer.
        private func play(_ attack: HostileRequests.Attack, _ stage: Stage) async throws -> Int? {
            let connection = try await RawConnection.open(port: stage.mirror.port)
            await connection.send(attack.bytes)
            await connection.waitForClose()
            let line = String(buffer: connection.received).split(separator: "\r\n").first ?? ""
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        }
    }
}
