import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch for the tests: Start FOLDER PORT [SETTING=VALUE ...]. It runs until it is killed. */
public class Start {
    public static void main(String[] arguments) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            settings.put("http.port", arguments[1]);
            settings.put("transport.port", "0");
            for (int each = 2; each < arguments.length; each++) {
                String[] pair = arguments[each].split("=", 2);
                settings.put(pair[0], pair[1]);
            }
        }).build(OpenSearchRunner.newConfigs().basePath(arguments[0]).numOfNode(1).clusterName("tests"));
        Thread.currentThread().join();
    }
}
