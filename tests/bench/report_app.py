"""The peer of the serving benchmark: a web API as the report built one, straight out of the tutorials.

Flask's development server, PyTorch eager, PIL and torchvision's transforms, one image a request. It says
where it listens, on a free port of the loopback.
"""

import torch
from flask import Flask, jsonify, request
from PIL import Image
from torchvision import models, transforms
from werkzeug.serving import make_server

from karyo.chromosomes import CLASSES

app = Flask(__name__)
model = models.resnet18(num_classes=len(CLASSES)).eval()
transform = transforms.Compose(
    [
        transforms.Resize((224, 224)),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


@app.post("/getChromosome/")
def get_chromosome():
    """Classify one image."""
    image = Image.open(request.files["image"].stream).convert("RGB")
    with torch.no_grad():
        probabilities = torch.softmax(model(transform(image)[None]), dim=1)[0]
    best = int(probabilities.argmax())
    return jsonify(chromosome=CLASSES[best], probability=float(probabilities[best]))


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)  # what app.run() does, on a free port
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
