import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Any number of clients share one transfer of a cold blob")
    struct FlightTests {
        static let blob = Content(seed: 31, count: 6 << 20)
        static let held = 1 << 20
        static let path = "/v2/library/big/blobs/\(blob.digest)"

        @Test("fifty clients read while it is under way, and one that dies changes nothing for the others")
        func sharing() async throws {
            try await Stage.run { stage in
                let barrier = holdTransfer(stage.hub)
                var exchanges: [TestClient.Exchange] = []
                for _ in 0..<50 { exchanges.append(try await stage.client.start("GET", Self.path)) }
                for exchange in exchanges {
                    #expect(await exchange.bodyBytes(atLeast: 1) >= 1, "no byte before the transfer ended")
                }
                await exchanges[0].connection.close()
                barrier.open()
                for exchange in exchanges.dropFirst() {
                    let response = try await exchange.response()
                    #expect(response.status == 200 && response.isExactly(Self.blob))
                }
                #expect(stage.hub.transfers(of: Self.blob) == 1)
            }
        }

        @Test("a transfer goes on when its only client has left")
        func outlivesClient() async throws {
            try await Stage.run { stage in
                let barrier = holdTransfer(stage.hub)
                let first = try await stage.client.start("GET", Self.path)
                await first.bodyBytes(atLeast: 1)
                await first.connection.close()
                barrier.open()
                #expect(try await stage.client.get(Self.path).isExactly(Self.blob))
                #expect(stage.hub.transfers(of: Self.blob) == 1)
            }
        }

        @Test("a range that has landed is answered 206 while the rest is still to come")
        func rangeInFlight() async throws {
            try await Stage.run { stage in
                let barrier = holdTransfer(stage.hub)
                let first = try await stage.client.start("GET", Self.path)
                await first.bodyBytes(atLeast: 1)
                let landed = try await stage.client.get(Self.path, ["Range": "bytes=1000-50999"])
                #expect(landed.status == 206)
                #expect(landed.body == Self.blob[1000..<51000])
                #expect(landed.headers["content-range"] == ["bytes 1000-50999/\(Self.blob.count)"])

                let ahead = try await stage.client.start("GET", Self.path, ["Range": "bytes=5000000-5000099"])
                let resumed = try await stage.client.start("GET", Self.path, ["Range": "bytes=6000000-"])
                barrier.open()
                #expect(try await ahead.response().body == Self.blob[5_000_000..<5_000_100])
                #expect(try await resumed.response().body == Self.blob[6_000_000..<Self.blob.count])
                #expect(try await first.response().isExactly(Self.blob))
                #expect(stage.hub.transfers(of: Self.blob) == 1)
            }
        }

        @Test("a transfer that breaks goes on from where it was, and clients notice nothing")
        func resumes() async throws {
            try await Stage.run { stage in
                stage.hub.publish(Self.blob, as: "library/big")
                stage.hub.script(RequestMatcher(.GET, role: .cdn), .cut(after: 2_000_000))
                let response = try await stage.client.get(Self.path)
                #expect(response.isExactly(Self.blob))
                let requests = stage.hub.log.matching(RequestMatcher(.GET, role: .cdn))
                #expect(requests.count == 2, "\(stage.hub.log)")
                #expect(requests.last?.request.headers["range"] == ["bytes=2000000-"])
            }
        }

        @Test("HEAD tells the length of a cold blob without a transfer")
        func headIsFree() async throws {
            try await Stage.run { stage in
                stage.hub.publish(Self.blob, as: "library/big")
                let response = try await stage.client.head(Self.path)
                #expect(response.status == 200)
                #expect(response.headers["content-length"] == ["\(Self.blob.count)"])
                #expect(response.digestHeader == "\(Self.blob.digest)")
                #expect(stage.hub.transfers(of: Self.blob) == 0)
            }
        }

        /// Publishes the blob; its transfer stops at ``held`` bytes until the barrier opens.
        private func holdTransfer(_ hub: ScriptedHub) -> Barrier {
            let barrier = Barrier()
            hub.publish(Self.blob, as: "library/big")
            hub.script(RequestMatcher(.GET, role: .cdn), times: nil, .stall(after: Self.held, until: barrier))
            return barrier
        }
    }
}
