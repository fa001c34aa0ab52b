import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    @Suite("Tag lists and referrers")
    struct ListTests {
        static let tags = (0..<250).map { "v\($0 + 1000)" }

        @Test("a tag list is fetched once and paged by us")
        func paging() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 61), as: "library/app", tags: Self.tags)
                #expect(try await list("/v2/library/app/tags/list", stage.client).tags == Self.tags)

                var collected: [String] = []
                var next: String? = "/v2/library/app/tags/list?n=60"
                while let path = next {
                    let page = try await list(path, stage.client)
                    #expect(page.tags.count <= 60)
                    collected += page.tags
                    next = page.next
                }
                #expect(collected == Self.tags)

                let middle = try await list("/v2/library/app/tags/list?n=2&last=v1100", stage.client)
                #expect(middle.tags == ["v1101", "v1102"])
                let none = try await list("/v2/library/app/tags/list?n=0", stage.client)
                #expect(none.tags == [] && none.next == nil)
                let bad = try await stage.client.get("/v2/library/app/tags/list?n=abc")
                #expect(bad.status == 400 && bad.isError("PAGINATION_NUMBER_INVALID"), "\(bad.text)")
                // Three pages of a hundred at the Hub, once.
                #expect(stage.hub.log.count(kind: .tags) == 3, "\(stage.hub.log)")
            }
        }

        @Test("a tag list is served when the Hub is gone")
        func staleList() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 62), as: "library/app", tags: ["a", "b"])
                _ = try await list("/v2/library/app/tags/list", stage.client)
                await stage.hub.stop()
                #expect(try await list("/v2/library/app/tags/list", stage.client).tags == ["a", "b"])
                try await stage.hub.restart()
            }
        }

        @Test(
            "referrers are listed and filtered, with an upstream that has the API and with one that has not",
            arguments: [true, false]
        )
        func referrers(isSupported: Bool) async throws {
            var options = HubOptions()
            options.supportsReferrers = isSupported
            try await Stage.run(hub: options) { stage in
                let hub = stage.hub
                let subject = hub.publish(.single(seed: 63), as: "library/app", tags: ["1"])
                let signature = TestImage.referrer(to: subject.manifest, artifactType: "test/signature", seed: 1)
                let bill = TestImage.referrer(to: subject.manifest, artifactType: "test/sbom", seed: 2)
                for referrer in [signature, bill] { hub.publish(referrer, as: "library/app") }
                if !isSupported {
                    let tag = Tag(referrersOf: subject.digest).text
                    hub.publish(.fallbackIndex(of: [signature, bill]), as: "library/app", tags: [tag])
                }
                let path = "/v2/library/app/referrers/\(subject.digest)"
                let all = try await stage.client.get(path)
                #expect(all.status == 200, "\(all.text)")
                #expect(all.headers["content-type"] == [MediaType.ociIndex])
                #expect(digests(all) == [signature.digest, bill.digest])

                let filtered = try await stage.client.get("\(path)?artifactType=test/sbom")
                #expect(digests(filtered) == [bill.digest])
                #expect(filtered.headers["oci-filters-applied"] == ["artifactType"])
            }
        }

        @Test("a manifest without referrers has an empty list, which costs no quota", arguments: [true, false])
        func noReferrers(isSupported: Bool) async throws {
            var options = HubOptions()
            options.supportsReferrers = isSupported
            try await Stage.run(hub: options) { stage in
                let subject = stage.hub.publish(.single(seed: 64), as: "library/app", tags: ["1"])
                let tag = Tag(referrersOf: subject.digest).text
                stage.hub.expectMissing(RequestMatcher(kind: .manifest, reference: tag))
                let path = "/v2/library/app/referrers/\(subject.digest)"
                for _ in 0..<3 {
                    let response = try await stage.client.get(path)
                    #expect(response.status == 200)
                    #expect(response.headers["content-type"] == [MediaType.ociIndex])
                    #expect(digests(response) == [] && response.text.contains(#""manifests":[]"#))
                }
                #expect(stage.hub.manifestReads() == 0, "\(stage.hub.log)")
                #expect(stage.hub.log.count(kind: .referrers) == 1, "\(stage.hub.log)")
            }
        }

        private func digests(_ response: TestResponse) -> Set<Digest> {
            Set((Manifest(response.body)?.manifests ?? []).map(\.digest))
        }

        /// One page, and the path of the next, which must be relative.
        private func list(_ path: String, _ client: TestClient) async throws -> (tags: [String], next: String?) {
            let response = try await client.get(path)
            try #require(response.status == 200, "\(path): \(response.status) \(response.text)")
            let start = try #require(response.text.firstRange(of: #""tags":["#))
            let names = response.text[start.upperBound...].prefix { $0 != "]" }.split(separator: ",")
            let link = response.headers.first(name: "link")
            if let link { #expect(link.hasPrefix("</v2/") && link.hasSuffix(#">; rel="next""#), "\(link)") }
            return (
                names.map { String($0.filter { $0 != "\"" }) }, link.map { String($0.dropFirst().prefix { $0 != ">" }) }
            )
        }
    }
}
