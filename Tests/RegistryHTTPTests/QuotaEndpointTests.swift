import Locking
import MirrorCore
import Testing

@testable import RegistryHTTP

@Suite("The quota, by HTTP", .timeLimit(.minutes(1)))
struct QuotaEndpointTests {
    @Test("the API has the report, and asks no upstream for whoever comes by TCP")
    func api() async throws {
        try await withServer { live in
            live.administration.quotas.withLock { $0 = [.dockerHub()] }
            let response = try await live.request("/-/api/quota?x=1")
            #expect(response.status == 200)
            #expect(response["content-type"] == "application/json")
            #expect(response["cache-control"] == "no-store")
            #expect(response.body == QuotaReport([.dockerHub()]).json)
            #expect(live.administration.questions == [false])
        }
    }

    @Test("a HEAD has the length and no body")
    func head() async throws {
        try await withServer { live in
            let response = try await live.request("/-/api/quota", method: "HEAD")
            #expect(response.status == 200)
            #expect(response["content-length"] == "\(QuotaReport([]).json.count)")
        }
    }

    @Test("other paths of the API are 404", arguments: ["/-/api/", "/-/api/quota/", "/-/api/secrets", "/-/"])
    func unknownPath(path: String) async throws {
        try await withServer { live in
            let response = try await live.request(path)
            #expect(response.status == 404)
            #expect(response["content-type"] == "application/json")
            #expect(response.errorCode == "UNSUPPORTED")
            #expect(live.administration.questions.isEmpty)
        }
    }

    @Test("it is read only", arguments: ["POST", "PUT", "DELETE", "PATCH"])
    func methods(method: String) async throws {
        try await withServer { live in
            let response = try await live.request("/-/api/quota", method: method)
            #expect(response.status == 405)
            #expect(response["allow"] == "GET, HEAD")
            #expect(live.administration.questions.isEmpty)
        }
    }

    @Test("the page shows the table, and what registries say is no HTML")
    func page() async throws {
        var status = QuotaStatus.dockerHub()
        status.source = "<script>alert(\"&\")</script>"
        let hostile = UpstreamQuota(upstream: .dockerHub, status: status)
        try await withServer { live in
            live.administration.quotas.withLock { $0 = [hostile, UpstreamQuota(upstream: UpstreamName("ghcr.io"))] }
            let response = try await live.request("/")
            #expect(response.status == 200)
            #expect(response["content-type"] == "text/html; charset=utf-8")
            for part in ["<td>docker.io<td>me<td>87 of 100<td>1h<td>", "<td>ghcr.io<td>-<td>unknown (not asked yet)"] {
                #expect(response.text.contains(part), "\(response.text)")
            }
            #expect(response.text.contains("&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;"))
            #expect(!response.text.contains("<script"))
            #expect(live.administration.questions == [false])
        }
    }

    @Test("how long requests took is told by kind and cache")
    func durations() async throws {
        try await withServer { live in
            _ = try await live.request("/v2/nginx/manifests/none")
            let text = try await live.request("/metrics").text
            let labels = #"kind="manifest",cache="none""#
            #expect(text.contains("tidepool_request_seconds_bucket{\(labels),le=\"60\"} 1\n"))
            #expect(text.contains("tidepool_request_seconds_count{\(labels)} 1\n"))
        }
    }
}
