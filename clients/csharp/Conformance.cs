// Play the scenes of ../conformance/v1.json with the C# receiver: dotnet run -- ../conformance/v1.json
using System;
using System.IO;
using System.Text.Json;

namespace Bcikit
{
    public static class Conformance
    {
        public static int Main(string[] arguments)
        {
            using JsonDocument scenes = JsonDocument.Parse(File.ReadAllText(arguments[0]));
            int failed = 0;
            foreach (JsonProperty scene in scenes.RootElement.EnumerateObject())
            {
                var receiver = new Receiver();
                int number = 0;
                foreach (JsonElement step in scene.Value.EnumerateArray())
                {
                    double at = step.GetProperty("at").GetDouble();
                    JsonElement message = step.GetProperty("message");
                    if (message.ValueKind == JsonValueKind.String) receiver.Feed(message.GetString()!, at);
                    Order? order = receiver.Tick(at);
                    JsonElement expect = step.GetProperty("expect");
                    bool alike = expect.ValueKind == JsonValueKind.Null
                        ? order == null
                        : order != null && order.Name == expect.GetProperty("name").GetString()
                            && order.Number == expect.GetProperty("value").GetDouble();
                    if (!alike)
                    {
                        Console.WriteLine($"{scene.Name}, step {number} differs");
                        failed++;
                    }
                    number++;
                }
            }
            Console.WriteLine(failed == 0 ? "all scenes alike" : $"{failed} steps differ");
            return failed == 0 ? 0 : 1;
        }
    }
}
