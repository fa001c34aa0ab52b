import MirrorCore
import Testing

@Suite("Metrics")
struct MetricsTests {
    @Test("counts by label and prints the text format")
    func counts() {
        let metrics = Metrics()
        metrics.add(to: .upstreamRequests, "docker.io", "manifest", "200")
        metrics.add(2, to: .upstreamRequests, "docker.io", "manifest", "200")
        metrics.set(.flights, to: 4)
        let text = metrics.text()
        #expect(text.contains("# TYPE tidepool_upstream_requests_total counter\n"))
        #expect(
            text.contains(
                "tidepool_upstream_requests_total{upstream=\"docker.io\",kind=\"manifest\",status=\"200\"} 3\n"
            )
        )
        #expect(text.contains("# TYPE tidepool_flights gauge\ntidepool_flights 4\n"))
    }

    @Test("escapes label values")
    func escapes() {
        let metrics = Metrics()
        metrics.add(to: .staleServed, "a\"b\\c\nd", "dns")
        #expect(metrics.text().contains(#"{upstream="a\"b\\c\nd",reason="dns"}"#))
    }

    @Test("a gauge that is removed is no longer printed")
    func removes() {
        let metrics = Metrics()
        metrics.set(.quotaLimit, to: 100, "docker.io", "a")
        metrics.set(.quotaLimit, to: 200, "docker.io", "b")
        metrics.remove(.quotaLimit, "docker.io", "a")
        #expect(!metrics.text().contains(#"account="a""#))
        #expect(metrics.text().contains("tidepool_quota_limit{upstream=\"docker.io\",account=\"b\"} 200\n"))
    }
}
