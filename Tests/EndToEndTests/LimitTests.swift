import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Limits: what Docker Hub refuses, and what goes on meanwhile")
    struct LimitTests {
        @Test("while manifests are refused, blobs and HEADs go on, and the waiting manifest comes after the window")
        func pullLimit() async throws {
            try await Stage.run { _, options in
                options.dockerHub = ["tag_ttl: 1h", "concurrency: { blobs: 32 }"]
            } _: { stage in
                let hub = stage.hub
                let image = hub.publish(.single(seed: 601), as: "library/app", tags: ["1"])
                let (blobs, exchanges, barrier) = try await startBlobs(20, stage)

                let reads = RequestMatcher(.GET, role: .registry, kind: .manifest, repository: "library/app")
                hub.script(reads, .pullLimit(retryAfter: "3"))
                let waiting = try await stage.client.start("GET", "/v2/library/app/manifests/1")
                try await waitUntil("the Hub has refused a manifest") { hub.log.count(reads) == 1 }

                for number in 0..<5 {
                    let other = hub.publish(
                        .single(seed: 610 + UInt64(number)),
                        as: "library/other",
                        tags: ["\(number)"]
                    )
                    let head = try await stage.client.head("/v2/library/other/manifests/\(number)")
                    #expect(head.status == 200 && head.digestHeader == "\(other.digest)", "\(head)")
                }
                #expect(hub.log.count(.HEAD, role: .registry, kind: .manifest, repository: "library/other") == 5)
                barrier.open()
                for (blob, exchange) in zip(blobs, exchanges) {
                    #expect(try await exchange.response().isExactly(blob))
                }
                #expect(hub.log.count(.GET, role: .registry, kind: .manifest) == 1, "asked before the window was over")

                let response = try await waiting.response()
                #expect(response.status == 200 && response.isExactly(image.manifest.content), "\(response)")
                let times = hub.log.matching(reads).map(\.receivedAt)
                #expect(times.count == 2)
                #expect(times[0].duration(to: times[1]) >= .seconds(3))
                #expect(hub.quota?.reads == 1)
                for line in ["window closed", "window opened"] { #expect(stage.mirror.log.contains(line)) }
            }
        }

        /// How a refusal may say when to come back; the last says nothing.
        private enum Form: String, CaseIterable {
            case seconds
            case date
            case unix
            case none

            func fault(_ seconds: Int) -> Fault {
                switch self {
                case .seconds: .pullLimit(retryAfter: RetryAfter.seconds.value(in: seconds))
                case .date: .pullLimit(retryAfter: RetryAfter.httpDate.value(in: seconds + 1))
                case .unix: .pullLimit(retryAfter: RetryAfter.unixTime.value(in: seconds + 1))
                // A window's length over its limit: when one more may be read.
                case .none: .pullLimit(showing: HubQuota(limit: 3600 / seconds, window: 3600))
                }
            }
        }

        @Test("every form of Retry-After is kept to: nothing is asked before, and the client need not ask again")
        func retryAfterForms() async throws {
            try await Stage.run { hub, options in
                for form in Form.allCases {
                    options.otherUpstreams += ["  \(form).test:", "    endpoint: \(hub.endpoint)"]
                }
            } _: { stage in
                let hub = stage.hub
                let scripted = ContinuousClock.now
                var exchanges: [(Form, TestImage, TestClient.Exchange)] = []
                for (number, form) in Form.allCases.enumerated() {
                    let image = hub.publish(.single(seed: 620 + UInt64(number)), as: "form/\(form)", tags: ["1"])
                    hub.script(RequestMatcher(.GET, kind: .manifest, repository: "form/\(form)"), form.fault(2))
                    let exchange = try await stage.client.start("GET", "/v2/\(form).test/form/\(form)/manifests/1")
                    exchanges.append((form, image, exchange))
                }
                for (form, image, exchange) in exchanges {
                    let response = try await exchange.response()
                    #expect(response.isExactly(image.manifest.content), "\(form): \(response)")
                    let matcher = RequestMatcher(.GET, role: .registry, kind: .manifest, repository: "form/\(form)")
                    let times = hub.log.matching(matcher).map(\.receivedAt)
                    #expect(times.count == 2, "\(form)")
                    if let last = times.last { #expect(scripted.duration(to: last) >= .seconds(2), "\(form)") }
                }
            }
        }

        @Test("the abuse limit stops every request to that upstream, and warm pulls go on")
        func abuseLimit() async throws {
            try await Stage.run { hub, options in
                options.dockerHub = ["tag_ttl: 50ms"]
                options.otherUpstreams = ["  other.test:", "    endpoint: \(hub.endpoint)"]
            } _: { stage in
                let hub = stage.hub
                let warm = hub.publish(.single(seed: 630), as: "library/warm", tags: ["1"])
                for path in ["manifests/1"] + warm.blobs.map({ "blobs/\($0.digest)" }) {
                    #expect(try await stage.client.get("/v2/library/warm/\(path)").status == 200)
                }
                try await stage.client.waitUntilStored(blobs: warm.blobs.count, manifests: 1)
                let cold = hub.publish(.single(seed: 631), as: "library/cold", tags: ["1"])
                hub.script(RequestMatcher(role: .registry, repository: "library/cold"), .abuseLimit(retryAfter: "60"))
                let refused = try await stage.client.get("/v2/library/cold/manifests/1")
                expectLimited(refused)

                let mark = hub.log.entries.count
                try await Task.sleep(for: .milliseconds(60))
                for _ in 0..<10 {
                    let tag = try await stage.client.get("/v2/library/warm/manifests/1")
                    #expect(tag.isExactly(warm.manifest.content) && tag.isMarkedStale, "\(tag)")
                    let digest = try await stage.client.get("/v2/library/warm/manifests/\(warm.digest)")
                    #expect(digest.isExactly(warm.manifest.content) && digest.cacheStatus == "tidepool; hit")
                    let blob = try await stage.client.get("/v2/library/warm/blobs/\(warm.largestBlob.digest)")
                    #expect(blob.isExactly(warm.largestBlob))
                }
                let absent = [
                    "cold/manifests/1", "cold/manifests/\(cold.digest)", "cold/blobs/\(cold.largestBlob.digest)",
                    "cold/tags/list",
                ]
                for path in absent { expectLimited(try await stage.client.get("/v2/library/\(path)")) }
                #expect(hub.log.since(mark).entries.isEmpty, "asked in the pause: \(hub.log.since(mark))")

                hub.publish(.single(seed: 632), as: "team/app", tags: ["1"])
                #expect(try await stage.client.get("/v2/other.test/team/app/manifests/1").status == 200)
            }
        }

        @Test(
            "when nothing is left, tags are served as they are, marked stale, and what is not cached",
            arguments: [503, 429]
        )
        func exhausted(status: Int) async throws {
            var hubOptions = HubOptions()
            hubOptions.quota = HubQuota(limit: 3, window: 3600)
            try await Stage.run(hub: hubOptions) { _, options in
                options.dockerHub = ["tag_ttl: 50ms"]
                options.topLevel = ["when_exhausted: \(status)"]
            } _: { stage in
                let hub = stage.hub
                let images = (0..<5).map { hub.publish(.single(seed: 640 + $0), as: "library/app", tags: ["\($0)"]) }
                for tag in 0..<3 {
                    #expect(try await stage.client.get("/v2/library/app/manifests/\(tag)").status == 200)
                }
                try await Task.sleep(for: .milliseconds(60))
                for tag in 0..<3 {
                    let response = try await stage.client.get("/v2/library/app/manifests/\(tag)")
                    #expect(response.isExactly(images[tag].manifest.content) && response.isMarkedStale, "\(response)")
                }
                for tag in 3..<5 {
                    let response = try await stage.client.get("/v2/library/app/manifests/\(tag)")
                    expectLimited(response, status: status)
                }
                // The Hub has said no, and is not asked again before its window is over.
                #expect(hub.manifestReads() <= 4, "\(hub.log)")
                #expect(hub.quota?.reads == 3)
            }
        }

        // MARK: - Parts

        /// Starts pulls of cold blobs that stop in the middle until the barrier opens.
        private func startBlobs(
            _ count: Int,
            _ stage: Stage
        ) async throws -> ([Content], [TestClient.Exchange], Barrier) {
            let barrier = Barrier()
            stage.hub.script(RequestMatcher(.GET, role: .cdn), times: nil, .stall(after: 100_000, until: barrier))
            var exchanges: [TestClient.Exchange] = []
            let blobs = (0..<count).map { Content(seed: 6000 + UInt64($0), count: 300_000) }
            for blob in blobs {
                stage.hub.publish(blob, as: "library/big")
                exchanges.append(try await stage.client.start("GET", "/v2/library/big/blobs/\(blob.digest)"))
            }
            for exchange in exchanges { #expect(await exchange.bodyBytes(atLeast: 1) >= 1) }
            return (blobs, exchanges, barrier)
        }

        private func expectLimited(_ response: TestResponse, status: Int = 503) {
            #expect(response.status == status && response.isError("TOOMANYREQUESTS"), "\(response)")
            #expect(response.retryAfter.map { (1...60).contains($0) } == true, "\(response)")
        }
    }
}
